//! The CUDA device that laws run on, where there is one.

use candle_core::Device;

/// The first CUDA device; none, with the reason printed, where there is none.
pub fn cuda() -> Option<Device> {
    match flow_cuda::device(0) {
        Ok(device) => Some(device),
        Err(error) => {
            let error = error.to_string();
            println!("skipped: no CUDA device: {}", error.lines().next().unwrap_or_default());
            None
        }
    }
}
