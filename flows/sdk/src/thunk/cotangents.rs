//! The host's cotangents of rows that a kernel just computed.

use crate::abi::Pull;
use crate::text::with_call;
use crate::view::{View, ViewMut};
use crate::{Element, Error, Result};

/// Asks for ∂/∂points `[m, d]` and ∂/∂numbers `[m]` of points and a number at each; `grad_points` is empty where the points
/// were given.
pub(super) fn ask<T: Element>(
    pull: &Pull,
    dim: usize,
    (points, numbers): (&[T], &[T]),
    (grad_points, grad_numbers): (&mut [T], &mut [T]),
) -> Result<()> {
    let m = numbers.len();
    let given = grad_points.is_empty();
    let (mut points, mut numbers) = (View::of(points, &[m, dim]), View::of(numbers, &[m]));
    let mut grad_points = ViewMut::of(grad_points, &[if given { 0 } else { m }, dim]);
    let mut grad_numbers = ViewMut::of(grad_numbers, &[m]);
    let grad_points = if given { std::ptr::null_mut() } else { grad_points.raw() };
    let (points, numbers, grad_numbers) = (points.raw(), numbers.raw(), grad_numbers.raw());
    // SAFETY: the views live through the call.
    with_call(|call| unsafe { (pull.cotangents)(pull.context, points, numbers, grad_points, grad_numbers, call) })
        .map_err(|failure| Error::Target(failure.message))
}
