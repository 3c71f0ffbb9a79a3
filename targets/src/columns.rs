//! Coordinates in groups: d may be larger than a workspace of fixed size.

use std::ops::Range;

use flow_kernels::chain::Lanes;

/// Coordinates in a group.
pub(crate) const GROUP: usize = 16;

/// Room for a group of coordinates.
pub(crate) type Group<T> = [Lanes<T>; GROUP];

/// The groups of d coordinates, in order.
#[inline(always)]
pub(crate) fn groups(d: usize) -> impl Iterator<Item = Range<usize>> {
    (0..d).step_by(GROUP).map(move |first| first..d.min(first + GROUP))
}
