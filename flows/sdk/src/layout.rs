//! Named parameters over one flat vector.

use candle_core::Tensor;
use flow_kernels::philox::Stream;
use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// The named slices of a flow's flat parameter vector, in order and without gaps.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Layout {
    slices: Vec<Slice>,
}

/// One named parameter tensor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Slice {
    /// Its name.
    pub name: String,
    /// Index of its first element in the flat vector.
    pub offset: usize,
    /// Its shape, row-major.
    pub shape: Vec<usize>,
    /// Whether a sampler's warm-up writes it, and no optimiser does.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub tuned: bool,
    /// How it starts; known to the plugin only.
    #[serde(skip)]
    pub init: Init,
}

/// How a parameter starts.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Init {
    /// All zero.
    #[default]
    Zeros,
    /// All the same.
    Constant(f64),
    /// Independent normals about zero.
    Normal {
        /// Their standard deviation.
        sd: f64,
    },
}

impl Layout {
    /// An empty layout.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends a parameter.
    pub fn with(mut self, name: &str, shape: &[usize], init: Init) -> Self {
        let offset = self.len();
        self.slices.push(Slice { name: name.into(), offset, shape: shape.into(), tuned: false, init });
        self
    }

    /// Appends a parameter that a sampler's warm-up sets.
    pub fn with_tuned(mut self, name: &str, shape: &[usize], init: Init) -> Self {
        self = self.with(name, shape, init);
        if let Some(slice) = self.slices.last_mut() {
            slice.tuned = true;
        }
        self
    }

    /// The slice of that name.
    pub fn slice(&self, name: &str) -> Result<&Slice> {
        let found = self.slices.iter().find(|slice| slice.name == name);
        found.ok_or_else(|| Error::Message(format!("the layout has no parameter `{name}`")))
    }

    /// Its slices, in order.
    pub fn slices(&self) -> &[Slice] {
        &self.slices
    }

    /// Number of parameters in all.
    pub fn len(&self) -> usize {
        self.slices.last().map_or(0, |slice| slice.offset + slice.len())
    }

    /// Whether there are no parameters.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Initial values: each slice from its own random stream, so that adding one leaves the others alone.
    pub fn init(&self, seed: u64) -> Vec<f64> {
        let mut flat = Vec::with_capacity(self.len());
        for (index, slice) in self.slices.iter().enumerate() {
            let mut stream = Stream::substream(seed, index as u64);
            flat.extend((0..slice.len()).map(|_| match slice.init {
                Init::Zeros => 0.0,
                Init::Constant(value) => value,
                Init::Normal { sd } => sd * stream.normal(),
            }));
        }
        flat
    }
}

impl Slice {
    /// Number of elements.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether it has no elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A flat parameter vector, read by name.
#[derive(Clone, Debug)]
pub struct Params<'a> {
    flat: &'a Tensor,
    layout: &'a Layout,
}

impl<'a> Params<'a> {
    /// Reads `flat` `[P]` by `layout`.
    pub fn new(flat: &'a Tensor, layout: &'a Layout) -> Self {
        Self { flat, layout }
    }

    /// The flat vector `[P]` itself.
    pub fn flat(&self) -> &'a Tensor {
        self.flat
    }

    /// The layout that it is read by.
    pub fn layout(&self) -> &'a Layout {
        self.layout
    }

    /// The named parameter in its shape, differentiable back to the flat vector.
    pub fn get(&self, name: &str) -> Result<Tensor> {
        let slice = self.layout.slice(name)?;
        Ok(self.flat.narrow(0, slice.offset, slice.len())?.reshape(slice.shape.as_slice())?)
    }
}
