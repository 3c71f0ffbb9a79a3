//! One update of a trajectory on a block of 64 chains, with its reverse pass: of velocities by forces, of positions by
//! velocities.
//!
//! With a what is updated, b what drives it, h its step (½ε or ε), σ = ±1 the direction of a chain, and the network's S, T, Q:
//!
//! ```text
//! s = hS, q = εQ, f = b ⊙ e^q, t = h(f + T), E = e^{σs}
//! a′ = aE + σtK, K = 1 where σ = 1, E where it is −1        log |J| += Σ σs
//! ```
//!
//! where the coordinates of a mask m̄ move: a ← m ⊙ a + m̄ ⊙ a′, and Σ m̄ ⊙ σs. In reverse, with ȧ the cotangent of a′, l̇ that of
//! log |J| and g = aE + (K − 1)σt what of a′ goes with s: ṫ = σKȧ, ṡ = σ(gȧ + l̇), ḟ = hṫ, q̇ = fḟ, ḃ = e^q ḟ, and the cotangent of
//! a is Eȧ. Since s, q and t are factors of ε and of the scales: d/d log ε = Σ sṡ + qq̇ + tṫ, d/dc_S = Σ sṡ, d/dc_Q = Σ qq̇.
//! Shapes: a coordinate a row.

use flow_sdk::kernels::chain::{Lanes, map, map2, map3};
use flow_sdk::kernels::dispatch;
use flow_sdk::kernels::panel::Shape;
use flow_sdk::kernels::real::Real;

use super::net::{Kept, Net, Sums, split_mut};

/// Steps h and ε.
#[derive(Clone, Copy, Debug)]
pub(super) struct Steps<T> {
    pub own: T,
    pub epsilon: T,
}

/// What an update keeps.
pub(super) struct Update<'a, T> {
    pub net: Kept<'a, T>,
    /// E.
    growth: &'a mut [Lanes<T>],
    /// e^q.
    pace: &'a mut [Lanes<T>],
    /// f.
    force: &'a mut [Lanes<T>],
    /// a.
    before: &'a mut [Lanes<T>],
    /// m of every chain; nothing where all coordinates move.
    pub keep: &'a mut [Lanes<T>],
}

impl<'a, T: Real> Update<'a, T> {
    /// Rows that an update keeps.
    pub fn rows(dim: usize, hidden: usize) -> usize {
        Net::<T>::kept_rows(dim, hidden) + 5 * dim
    }

    /// Those rows by name.
    pub fn of(net: &Net<T>, dim: usize, hidden: usize, masked: bool, rows: &'a mut [Lanes<T>]) -> Self {
        let sizes = [Net::<T>::kept_rows(dim, hidden), dim, dim, dim, dim, if masked { dim } else { 0 }];
        let [own, growth, pace, force, before, keep] = split_mut(rows, sizes);
        Self { net: net.kept(own), growth, pace, force, before, keep }
    }

    /// Updates a; the inputs of the network and the mask are there.
    pub fn forward(
        &mut self,
        net: &Net<T>,
        steps: Steps<T>,
        signs: &Lanes<T>,
        a: &mut [Lanes<T>],
        b: &[Lanes<T>],
        log_det: &mut Lanes<T>,
    ) {
        net.forward(&mut self.net);
        dispatch!(L => self.apply::<L>(net, steps, signs, a, b, log_det));
    }

    /// Turns the cotangents of a′ into those of a; writes those of b; returns those of the network's inputs, all in `work`.
    #[allow(clippy::too_many_arguments, reason = "a kernel's operands")]
    pub fn backward<'b>(
        &self,
        net: &Net<T>,
        steps: Steps<T>,
        signs: &Lanes<T>,
        a_bar: &mut [Lanes<T>],
        b_bar: &mut [Lanes<T>],
        log_det_bar: &Lanes<T>,
        sums: &mut Sums<T>,
        work: &'b mut [Lanes<T>],
    ) -> &'b [Lanes<T>] {
        let [heads_bar, work] = split_mut(work, [3 * a_bar.len(), net.work_rows()]);
        dispatch!(L => self.pull::<L>(net, steps, signs, a_bar, b_bar, log_det_bar, sums, heads_bar));
        net.backward(&self.net, heads_bar, sums, work)
    }

    #[inline(always)]
    fn apply<L: Shape>(
        &mut self,
        net: &Net<T>,
        steps: Steps<T>,
        signs: &Lanes<T>,
        a: &mut [Lanes<T>],
        b: &[Lanes<T>],
        log_det: &mut Lanes<T>,
    ) {
        let dim = a.len();
        for (i, a) in a.iter_mut().enumerate() {
            for head in [i, 2 * dim + i] {
                self.net.heads[head] = map(&self.net.heads[head], |a| a.tanh::<L>());
            }
            let [tanh_s, translate, tanh_q] = [0, 1, 2].map(|head| &self.net.heads[head * dim + i]);
            let (s_scale, q_scale) = (steps.own * net.scale_s[i], steps.epsilon * net.scale_q[i]);
            let s = map2(signs, tanh_s, |sign, tanh| sign * (s_scale * tanh));
            let share = moving(self.keep, i, &s);
            *log_det = map2(log_det, &share, |sum, share| sum + share);
            let growth = map(&s, |s| s.exp::<L>());
            let pace = map(tanh_q, |tanh| (q_scale * tanh).exp::<L>());
            let force = map2(&b[i], &pace, |b, pace| b * pace);
            let t = map3(&force, translate, signs, |force, translate, sign| sign * (steps.own * (force + translate)));
            let shrink = map2(signs, &growth, |sign, growth| if sign > T::ZERO { T::ONE } else { growth });
            let shift = map2(&t, &shrink, |t, shrink| t * shrink);
            let moved = map3(a, &growth, &shift, |a, growth, shift| a.fma::<L>(growth, shift));
            self.before[i] = *a;
            *a = match self.keep.get(i) {
                None => moved,
                Some(keep) => map3(keep, &moved, a, |keep, moved, a| (T::ONE - keep).fma::<L>(moved, keep * a)),
            };
            self.growth[i] = growth;
            self.pace[i] = pace;
            self.force[i] = force;
        }
    }

    #[allow(clippy::too_many_arguments, reason = "a kernel's operands")]
    #[inline(always)]
    fn pull<L: Shape>(
        &self,
        net: &Net<T>,
        steps: Steps<T>,
        signs: &Lanes<T>,
        a_bar: &mut [Lanes<T>],
        b_bar: &mut [Lanes<T>],
        log_det_bar: &Lanes<T>,
        sums: &mut Sums<T>,
        heads_bar: &mut [Lanes<T>],
    ) {
        let dim = a_bar.len();
        for (i, a_bar) in a_bar.iter_mut().enumerate() {
            let [tanh_s, translate, tanh_q] = [0, 1, 2].map(|head| &self.net.heads[head * dim + i]);
            let (growth, force) = (&self.growth[i], &self.force[i]);
            let (s_scale, q_scale) = (steps.own * net.scale_s[i], steps.epsilon * net.scale_q[i]);
            let moved_bar = moving(self.keep, i, a_bar);
            let share = moving(self.keep, i, log_det_bar);
            let t = map2(force, translate, |force, translate| steps.own * (force + translate));
            let shrink = map2(signs, growth, |sign, growth| if sign > T::ZERO { T::ONE } else { growth });
            let t_bar = map3(signs, &shrink, &moved_bar, |sign, shrink, bar| sign * shrink * bar);
            let less = map2(signs, &t, |sign, t| if sign > T::ZERO { T::ZERO } else { t });
            let grown = map3(&self.before[i], &less, growth, |before, less, growth| (before - less) * growth);
            let s_bar = map3(&grown, &moved_bar, &share, |grown, bar, share| grown.fma::<L>(bar, share));
            let s_bar = map2(signs, &s_bar, |sign, bar| sign * bar);
            let force_bar = map(&t_bar, |bar| steps.own * bar);
            let q_bar = map2(&force_bar, force, |bar, force| q_scale * bar * force);
            sums.log_step = map3(&t, &t_bar, &sums.log_step, |t, bar, sum| t.fma::<L>(bar, sum));
            sums.log_scale_s[i] =
                map3(tanh_s, &s_bar, &sums.log_scale_s[i], |tanh, bar, sum| (s_scale * tanh).fma::<L>(bar, sum));
            sums.log_scale_q[i] = map3(tanh_q, &q_bar, &sums.log_scale_q[i], |tanh, bar, sum| tanh.fma::<L>(bar, sum));
            heads_bar[i] = map2(&s_bar, tanh_s, |bar, tanh| s_scale * bar * (T::ONE - tanh * tanh));
            heads_bar[dim + i] = force_bar;
            heads_bar[2 * dim + i] = map2(&q_bar, tanh_q, |bar, tanh| bar * (T::ONE - tanh * tanh));
            b_bar[i] = map2(&force_bar, &self.pace[i], |bar, pace| bar * pace);
            let through = map2(&moved_bar, growth, |bar, growth| bar * growth);
            *a_bar = match self.keep.get(i) {
                None => through,
                Some(keep) => map3(keep, a_bar, &through, |keep, bar, through| keep.fma::<L>(bar, through)),
            };
        }
    }
}

/// Rows that [`Update::backward`] works in.
pub(super) fn work_rows<T: Real>(net: &Net<T>, dim: usize) -> usize {
    3 * dim + net.work_rows()
}

/// (1 − m) ⊙ row, with m the mask of coordinate i.
#[inline(always)]
fn moving<T: Real>(keep: &[Lanes<T>], i: usize, row: &Lanes<T>) -> Lanes<T> {
    match keep.get(i) {
        None => *row,
        Some(keep) => map2(keep, row, |keep, row| (T::ONE - keep) * row),
    }
}
