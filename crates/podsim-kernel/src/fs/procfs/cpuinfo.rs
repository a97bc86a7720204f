//! `/proc/cpuinfo`.

use super::view::View;
use podsim_sys::Result;

pub(super) fn show(view: &View) -> Result<String> {
    let cpu = |number: u32| {
        format!(
            "processor\t: {number}\n\
             vendor_id\t: podsim\n\
             model name\t: WebAssembly virtual CPU\n\
             cpu cores\t: {}\n\
             flags\t\t: wasm\n\n",
            view.kernel.config().cpus
        )
    };
    Ok((0..view.kernel.config().cpus).map(cpu).collect())
}
