//! One tile through all moves, forward or in reverse.

use crate::panel::{from_columns, to_columns};
use crate::real::Real;
use crate::trajectory::{Accumulator, KeptTile, Prepared, Tile, Trajectory, Workspace};

impl Trajectory {
    /// Takes a tile from start to end; `kept` keeps what [`Trajectory::reverse_tile`] needs.
    pub fn forward_tile<T: Real>(
        &self,
        prepared: &Prepared<T>,
        steps: &[T],
        tile: &mut Tile<T>,
        kept: Option<&mut KeptTile<T>>,
        workspace: &mut Workspace<T>,
    ) {
        let m = tile.len();
        workspace.resize(self, m);
        let [q, p, ..] = Workspace::quarters(&mut workspace.states);
        let parts = tile.parts_mut();
        from_columns(parts.0, m, q);
        from_columns(parts.1, m, p);
        let keep = kept.is_some();
        let kept = match kept {
            Some(kept) => {
                kept.rows.resize(self.kept_rows(m));
                kept.m = m;
                &mut kept.rows
            }
            None => &mut workspace.rebuilt,
        };
        let (mut rest, scratch) = (kept.rows_mut(), workspace.scratch.rows_mut());
        for step in &self.moves {
            let energy = &self.energies[step.energy].0;
            let packed = &prepared.rows.rows()[prepared.starts[step.energy]..];
            let rows = energy.kept_rows(self.dim, m);
            let (x, into) = if step.kick { (&*q, &mut *p) } else { (&*p, &mut *q) };
            let scale = step.signed::<T>() * steps[step.step];
            energy.add_gradient(packed, x, m, scale, &mut rest[..rows], scratch, into);
            if keep {
                rest = &mut rest[rows..];
            }
        }
        to_columns(q, m, parts.0);
        to_columns(p, m, parts.1);
    }

    /// Takes the cotangents of a tile's end to those of its start, and adds the gradients in parameters and step sizes.
    ///
    /// Without `kept` the states are rebuilt from `end`, which otherwise is not read.
    #[allow(clippy::too_many_arguments, reason = "a kernel's operands")]
    pub fn reverse_tile<T: Real>(
        &self,
        prepared: &Prepared<T>,
        steps: &[T],
        end: &Tile<T>,
        kept: Option<&KeptTile<T>>,
        cotangent: &mut Tile<T>,
        grad: &mut Accumulator<T>,
        workspace: &mut Workspace<T>,
    ) {
        let m = cotangent.len();
        workspace.resize(self, m);
        let [q, p, q_bar, p_bar] = Workspace::quarters(&mut workspace.states);
        let (scratch, rebuilt) = (workspace.scratch.rows_mut(), workspace.rebuilt.rows_mut());
        let parts = cotangent.parts_mut();
        from_columns(parts.0, m, q_bar);
        from_columns(parts.1, m, p_bar);
        let mut rest = kept.map(|kept| {
            assert_eq!(kept.m, m, "points of the tile that was kept");
            kept.rows.rows()
        });
        if rest.is_none() {
            let parts = end.parts();
            from_columns(parts.0, m, q);
            from_columns(parts.1, m, p);
        }
        for step in self.moves.iter().rev() {
            let energy = &self.energies[step.energy].0;
            let packed = &prepared.rows.rows()[prepared.starts[step.energy]..];
            let rows = energy.kept_rows(self.dim, m);
            let scale = step.signed::<T>() * steps[step.step];
            let kept = match &mut rest {
                Some(rest) => rest.split_off(rest.len() - rows..).expect("as many rows as were kept"),
                None => {
                    let (x, into) = if step.kick { (&*q, &mut *p) } else { (&*p, &mut *q) };
                    energy.add_gradient(packed, x, m, -scale, &mut rebuilt[..rows], scratch, into);
                    &rebuilt[..rows]
                }
            };
            let (v, into) = if step.kick { (&*p_bar, &mut *q_bar) } else { (&*q_bar, &mut *p_bar) };
            let slots = &mut grad.rows.rows_mut()[grad.starts[step.energy]..];
            let along = energy.reverse(packed, kept, v, m, scale, scratch, slots, into, self.dim);
            grad.steps[step.step] += (step.signed::<T>() * along).wide();
        }
        to_columns(q_bar, m, parts.0);
        to_columns(p_bar, m, parts.1);
    }
}
