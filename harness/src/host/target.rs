//! The target of a cell, with every row it evaluates counted.

use std::ffi::c_void;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock};

use candle_core::{DType, Device, Tensor};
use flow_sdk::Element;
use flow_sdk::abi::{self, Call, DLTensor};
use flow_sdk::thunk::guard;
use flow_sdk::view::{copy_in, copy_out, dtype_of, elements, elements_mut, is_on_cuda};
use targets::{Float, Out, Target};

use super::Tempering;

/// A target and the count of rows at which its density or a derivative was evaluated. Threads may share it.
pub struct CountedTarget {
    target: Box<dyn Target>,
    evaluations: AtomicU64,
    tempering: RwLock<Tempering>,
}

impl CountedTarget {
    /// Counts from zero.
    pub fn new(target: Box<dyn Target>) -> Self {
        Self { target, evaluations: AtomicU64::new(0), tempering: RwLock::default() }
    }

    /// The target itself, for uses that do not count (evaluation of a trained flow).
    pub fn uncounted(&self) -> &dyn Target {
        &*self.target
    }

    /// Rows evaluated so far: a value, a gradient, both in one call and a Hessian-vector product count one each.
    pub fn evaluations(&self) -> u64 {
        self.evaluations.load(Ordering::Relaxed)
    }

    /// Runs `f` without counting what it evaluates: measurements are not the method's.
    pub fn without_counting<T>(&self, f: impl FnOnce() -> T) -> T {
        let count = self.evaluations();
        let result = f();
        self.set_evaluations(count);
        result
    }

    /// Runs `f` while the call-backs evaluate the tempered target.
    pub fn tempered<T>(&self, tempering: Tempering, f: impl FnOnce() -> T) -> T {
        let before = std::mem::replace(&mut *self.tempering.write().unwrap_or_else(PoisonError::into_inner), tempering);
        let result = f();
        *self.tempering.write().unwrap_or_else(PoisonError::into_inner) = before;
        result
    }

    /// Continues from a checkpoint's count.
    pub fn set_evaluations(&self, count: u64) {
        self.evaluations.store(count, Ordering::Relaxed);
    }

    /// ∇ log γ(x), counted.
    pub fn grad(&self, x: &Tensor) -> targets::Result<Tensor> {
        self.count(x.dim(0)?);
        targets::grad(&*self.target, x)
    }

    /// log γ and ∇ log γ at x `[n, d]`, whichever are asked for, counted once a row.
    pub fn evaluate_rows<T: Element + Float>(&self, x: &[T], out: Out<'_, T>) -> targets::Result<()> {
        let n = x.len() / self.target.dim();
        self.count(n);
        if let Some(kernel) = self.target.kernel() {
            T::evaluate(kernel, x, out);
            return Ok(());
        }
        let x = Tensor::from_slice(x, (n, self.target.dim()), &Device::Cpu)?;
        let copy = |tensor: &Tensor, out: &mut [T]| -> targets::Result<()> {
            out.copy_from_slice(&tensor.flatten_all()?.to_vec1::<T>()?);
            Ok(())
        };
        if let Some(value) = out.value {
            copy(&self.target.log_density(&x)?, value)?;
        }
        if let Some(grad) = out.grad {
            copy(&self.target.grad(&x)?, grad)?;
        }
        Ok(())
    }

    /// Likewise at a tensor x `[n, d]`, on whatever device: log γ `[n]`, ∇ log γ `[n, d]`.
    pub fn evaluate_tensors(
        &self,
        x: &Tensor,
        value: bool,
        grad: bool,
    ) -> targets::Result<(Option<Tensor>, Option<Tensor>)> {
        self.count(x.dim(0)?);
        targets::evaluate(&*self.target, x, value, grad)
    }

    /// The call-backs that a plugin gets. They are valid as long as `self` stays where it is.
    pub fn callbacks(&self) -> abi::Target {
        abi::Target {
            struct_size: size_of::<abi::Target>(),
            context: std::ptr::from_ref(self).cast_mut().cast(),
            log_density,
            grad,
            hvp,
            log_density_and_grad,
        }
    }

    fn tempering(&self) -> Tempering {
        *self.tempering.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn count(&self, rows: usize) {
        self.evaluations.fetch_add(rows as u64, Ordering::Relaxed);
    }

    /// # Safety
    /// `x` is a valid view to be read, the others are null or valid views to be written.
    unsafe fn evaluate<T: Element + Float>(
        &self,
        x: *const DLTensor,
        value: *mut DLTensor,
        grad: *mut DLTensor,
    ) -> flow_sdk::Result<()> {
        // SAFETY: the caller vouches for the views.
        let (x, value, grad) = unsafe { (elements::<T>(x)?, elements_mut::<T>(value)?, elements_mut::<T>(grad)?) };
        let n = x.len() / self.target.dim();
        let fits = |out: &[T], size| out.is_empty() || out.len() == size;
        if !fits(value, n) || !fits(grad, x.len()) {
            return Err(flow_sdk::Error::View(format!("{} values, {} slopes at {n} rows", value.len(), grad.len())));
        }
        let asked = |out: &mut [T]| !out.is_empty();
        let (wants_value, wants_grad) = (asked(value), asked(grad));
        let out = Out { value: wants_value.then_some(&mut *value), grad: wants_grad.then_some(&mut *grad) };
        self.evaluate_rows(x, out).map_err(failed)?;
        let tempering = self.tempering();
        if wants_value {
            tempering.temper_values(x, value);
        }
        tempering.temper_slopes(x, grad);
        Ok(())
    }

    /// [`CountedTarget::evaluate`] where the views are on a CUDA device.
    ///
    /// # Safety
    /// As there.
    unsafe fn evaluate_on_device(
        &self,
        x: *const DLTensor,
        value: *mut DLTensor,
        grad: *mut DLTensor,
    ) -> flow_sdk::Result<()> {
        let tempering = self.tempering();
        // SAFETY: the caller vouches for the views, here and below.
        let x = unsafe { copy_in(x)? };
        let (values, slopes) = self.evaluate_tensors(&x, !value.is_null(), !grad.is_null()).map_err(failed)?;
        if let Some(values) = values {
            // SAFETY: as above.
            unsafe { copy_out(&tempering.value(&x, &values)?, value)? };
        }
        if let Some(slopes) = slopes {
            // SAFETY: as above.
            unsafe { copy_out(&tempering.slope(&x, &slopes)?, grad)? };
        }
        Ok(())
    }

    /// [`CountedTarget::bend`] where the views are on a CUDA device.
    ///
    /// # Safety
    /// As there.
    unsafe fn bend_on_device(
        &self,
        x: *const DLTensor,
        v: *const DLTensor,
        out: *mut DLTensor,
    ) -> flow_sdk::Result<()> {
        // SAFETY: the caller vouches for the views, here and below.
        let (x, v) = unsafe { (copy_in(x)?, copy_in(v)?) };
        self.count(x.dim(0)?);
        let product = targets::hvp(&*self.target, &x, &v).map_err(failed)?;
        // SAFETY: as above.
        unsafe { copy_out(&self.tempering().slope(&v, &product)?, out) }
    }

    /// # Safety
    /// `x` and `v` are valid views to be read, `out` one to be written.
    unsafe fn bend<T: Element + Float>(
        &self,
        x: *const DLTensor,
        v: *const DLTensor,
        out: *mut DLTensor,
    ) -> flow_sdk::Result<()> {
        // SAFETY: the caller vouches for the views.
        let (x_rows, v_rows, products) = unsafe { (elements::<T>(x)?, elements::<T>(v)?, elements_mut::<T>(out)?) };
        let lengths = [x_rows.len(), v_rows.len(), products.len()];
        if lengths != [x_rows.len(); 3] {
            return Err(flow_sdk::Error::View(format!("points, vectors and products of lengths {lengths:?}")));
        }
        self.count(x_rows.len() / self.target.dim());
        match self.target.curvature() {
            Some(curvature) => T::hvp(curvature, x_rows, v_rows, products),
            // SAFETY: as above.
            None => unsafe { copy_out(&self.target.hvp(&copy_in(x)?, &copy_in(v)?).map_err(failed)?, out)? },
        }
        self.tempering().temper_slopes(v_rows, products);
        Ok(())
    }
}

unsafe extern "C" fn log_density(context: *mut c_void, x: *const DLTensor, out: *mut DLTensor, call: *mut Call) -> i32 {
    // SAFETY: `callbacks` made the context; the plugin passes valid views.
    unsafe { evaluate(context, x, out, std::ptr::null_mut(), call) }
}

unsafe extern "C" fn grad(context: *mut c_void, x: *const DLTensor, out: *mut DLTensor, call: *mut Call) -> i32 {
    // SAFETY: as above.
    unsafe { evaluate(context, x, std::ptr::null_mut(), out, call) }
}

unsafe extern "C" fn log_density_and_grad(
    context: *mut c_void,
    x: *const DLTensor,
    value_out: *mut DLTensor,
    grad_out: *mut DLTensor,
    call: *mut Call,
) -> i32 {
    // SAFETY: as above.
    unsafe { evaluate(context, x, value_out, grad_out, call) }
}

unsafe extern "C" fn hvp(
    context: *mut c_void,
    x: *const DLTensor,
    v: *const DLTensor,
    out: *mut DLTensor,
    call: *mut Call,
) -> i32 {
    // SAFETY: as above.
    unsafe {
        guard(call, || {
            let counted = &*context.cast::<CountedTarget>();
            match dtype_of(x)? {
                _ if is_on_cuda(x) => counted.bend_on_device(x, v, out),
                DType::F32 => counted.bend::<f32>(x, v, out),
                _ => counted.bend::<f64>(x, v, out),
            }
        })
    }
}

/// # Safety
/// `context` came from [`CountedTarget::callbacks`]; the views are as in [`CountedTarget::evaluate`].
unsafe fn evaluate(
    context: *mut c_void,
    x: *const DLTensor,
    value: *mut DLTensor,
    grad: *mut DLTensor,
    call: *mut Call,
) -> i32 {
    // SAFETY: the caller vouches for the pointers.
    unsafe {
        guard(call, || {
            let counted = &*context.cast::<CountedTarget>();
            match dtype_of(x)? {
                _ if is_on_cuda(x) => counted.evaluate_on_device(x, value, grad),
                DType::F32 => counted.evaluate::<f32>(x, value, grad),
                _ => counted.evaluate::<f64>(x, value, grad),
            }
        })
    }
}

fn failed(error: targets::Error) -> flow_sdk::Error {
    flow_sdk::Error::Target(error.to_string())
}
