//! Rows of W numbers at the alignment of a cache line, reused from call to call.

use crate::panel::PANEL;
use crate::real::Real;

/// Bytes of a cache line, and of the widest vector: one that straddles two lines takes twice as long to load.
const LINE: usize = 64;

/// Rows that keep their memory when resized.
#[derive(Debug)]
pub struct Buffer<T, const W: usize = PANEL> {
    values: Vec<T>,
    rows: usize,
}

impl<T, const W: usize> Default for Buffer<T, W> {
    fn default() -> Self {
        Self { values: Vec::new(), rows: 0 }
    }
}

impl<T: Real, const W: usize> Buffer<T, W> {
    /// Of so many rows; allocates when there were never so many. What they hold is whatever was there.
    pub fn resize(&mut self, rows: usize) {
        let needed = rows * W + LINE / size_of::<T>();
        if self.values.len() < needed {
            self.values.resize(needed, T::ZERO);
        }
        self.rows = rows;
    }

    /// The rows.
    pub fn rows(&self) -> &[[T; W]] {
        let start = self.start();
        &self.values[start..].as_chunks().0[..self.rows]
    }

    /// The rows, to be written.
    pub fn rows_mut(&mut self) -> &mut [[T; W]] {
        let start = self.start();
        &mut self.values[start..].as_chunks_mut().0[..self.rows]
    }

    /// All rows zero.
    pub fn clear(&mut self) {
        self.rows_mut().as_flattened_mut().fill(T::ZERO);
    }

    fn start(&self) -> usize {
        match self.rows {
            0 => 0,
            _ => self.values.as_ptr().align_offset(LINE),
        }
    }
}
