//! WASIX (`wasix_32v1`).
use crate::call::host_functions;
use crate::error::wasi_result;
host_functions! {
    module "wasix_32v1", result wasi_result;
}
