//! Base noise on a CUDA device has the bits of the processor's kernels, at the levels of vector instructions that fuse products
//! and sums; at the others those differ in the last places, as `flow_kernels::noise` says of its levels.

use candle_core::DType;
use flow_cuda::noise::{Noise, fill};
use flow_kernels::noise;
use flow_kernels::simd::{self, Width};
use flow_sdk::Element;

const KINDS: [Noise; 4] =
    [Noise::Normals, Noise::Uniforms, Noise::Signs, Noise::SoftUniforms { width: 3.0, softness: 8.0 }];

/// From the start, from the middle of a block, where the number of a block carries into its upper word; one number, whole blocks
/// of threads and one more.
const RANGES: [(usize, usize); 7] = [(0, 1), (0, 512), (0, 513), (3, 1000), (5, 3), (126, 515), ((1 << 34) - 301, 900)];

fn on_processor<T: Element>(kind: Noise, seed: u64, first: usize, count: usize) -> Vec<T> {
    let mut out = vec![T::NAN; count];
    match kind {
        Noise::Normals => noise::normals(seed, first, &mut out),
        Noise::Uniforms => noise::uniforms(seed, first, &mut out),
        Noise::Signs => noise::signs(seed, first, &mut out),
        Noise::SoftUniforms { width, softness } => noise::soft_uniforms(seed, width, softness, first, &mut out),
    }
    out
}

/// Those that fuse, whatever the architecture calls them.
fn fusing() -> Vec<Width> {
    let fuses = |&width: &Width| width > Width::Portable || cfg!(target_arch = "aarch64");
    simd::available().iter().copied().filter(fuses).collect()
}

fn same_bits<T: Element>() {
    let Some(device) = laws::cuda() else { return };
    if fusing().is_empty() {
        println!("skipped: this processor has no fused multiply-add");
    }
    for width in fusing() {
        for kind in KINDS {
            for seed in [7, 0x9abc_def0_1234_5678] {
                for (first, count) in RANGES {
                    let there = fill(&device, kind, seed, first as u64, count, T::DTYPE).unwrap();
                    let there: Vec<T> = there.to_vec1().unwrap();
                    let here: Vec<T> = simd::at(width, || on_processor(kind, seed, first, count));
                    for (i, (here, there)) in here.iter().zip(&there).enumerate() {
                        let (here, there) = (here.wide().to_bits(), there.wide().to_bits());
                        assert_eq!(here, there, "{kind:?} {width:?}, seed {seed}, number {first} + {i}");
                    }
                }
            }
        }
    }
}

#[test]
fn single_precision_has_the_same_bits() {
    same_bits::<f32>();
}

#[test]
fn double_precision_has_the_same_bits() {
    same_bits::<f64>();
}

/// No draws at all, a shape of two extents.
#[test]
fn the_shape_is_the_one_asked_for() {
    let Some(device) = laws::cuda() else { return };
    let none = fill(&device, Noise::Normals, 1, 0, (0, 3), DType::F32).unwrap();
    assert_eq!(none.dims(), [0, 3]);
    let some = fill(&device, Noise::Normals, 1, 0, (5, 3), DType::F32).unwrap();
    assert_eq!(some.flatten_all().unwrap().to_vec1::<f32>().unwrap(), on_processor::<f32>(Noise::Normals, 1, 0, 15));
}
