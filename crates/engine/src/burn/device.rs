//! Which device runs a plan.

use crate::EngineError;
use burn_dispatch::{DispatchDevice, devices::FlexDevice};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// A device, chosen at run time. GPUs are numbered from 0, in the order in which the driver lists them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Device {
    /// Burn's portable CPU device, to check plans where there is no GPU. [`Executable`](crate::Executable) is faster.
    Cpu,
    /// An NVIDIA GPU through CUDA (feature `burn-cuda`).
    Cuda(usize),
    /// A GPU through Vulkan (feature `burn-vulkan`).
    Vulkan(usize),
    /// An Apple GPU through Metal (feature `burn-metal`).
    Metal(usize),
    /// A GPU through WebGPU (feature `burn-webgpu`): the browser's, or outside of one whatever lies under it.
    WebGpu(usize),
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Device::Cpu => write!(f, "cpu"),
            Device::Cuda(i) => write!(f, "cuda:{i}"),
            Device::Vulkan(i) => write!(f, "vulkan:{i}"),
            Device::Metal(i) => write!(f, "metal:{i}"),
            Device::WebGpu(i) => write!(f, "webgpu:{i}"),
        }
    }
}

impl Device {
    /// The devices that this build supports and this machine has; the CPU first.
    pub fn available() -> Vec<Device> {
        let gpus = [Device::Cuda as fn(usize) -> Device, Device::Vulkan, Device::Metal, Device::WebGpu];
        let found = gpus.into_iter().flat_map(|of| (0..of(0).listed().unwrap_or_default().len()).map(of));
        std::iter::once(Device::Cpu).chain(found).collect()
    }

    /// The device in Burn's terms.
    pub(super) fn open(self) -> Result<DispatchDevice, EngineError> {
        let Some(devices) = self.listed() else {
            let feature = self.feature();
            return Err(self.error(format!(
                "this build has no support for it: build perturb-engine with the feature `{feature}`, or use the cpu"
            )));
        };
        let found = devices.len();
        devices.into_iter().nth(self.index()).ok_or_else(|| {
            self.error(format!("{found} device(s) of this kind found: check the driver, or choose another device"))
        })
    }

    /// Whether it computes in `f64`: the shading languages have at most its arithmetic, but no functions such as eˣ.
    pub(super) fn has_f64(self) -> bool {
        matches!(self, Device::Cpu | Device::Cuda(_))
    }

    pub(super) fn error(self, reason: String) -> EngineError {
        EngineError::Device { device: self.to_string(), reason }
    }

    /// Runs `work` on the device. Burn reports a failing device (no memory, a lost driver) by a panic, which becomes an
    /// error here.
    pub(super) fn guard<T>(self, work: impl FnOnce() -> Result<T, EngineError>) -> Result<T, EngineError> {
        // Nothing that `work` leaves half-done is used after a panic: values on the device are dropped with it.
        catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("unknown failure");
            Err(self.error(format!("the device failed: {text}")))
        })
    }

    fn index(self) -> usize {
        match self {
            Device::Cpu => 0,
            Device::Cuda(i) | Device::Vulkan(i) | Device::Metal(i) | Device::WebGpu(i) => i,
        }
    }

    fn feature(self) -> &'static str {
        match self {
            Device::Cpu => "burn",
            Device::Cuda(_) => "burn-cuda",
            Device::Vulkan(_) => "burn-vulkan",
            Device::Metal(_) => "burn-metal",
            Device::WebGpu(_) => "burn-webgpu",
        }
    }

    // All devices of this one's kind, or `None` if the build lacks it. Without a driver, listing may panic.
    fn listed(self) -> Option<Vec<DispatchDevice>> {
        let list: fn() -> Vec<DispatchDevice> = match self {
            Device::Cpu => || vec![FlexDevice.into()],
            #[cfg(feature = "burn-cuda")]
            Device::Cuda(_) => || burn_dispatch::Dispatch::enumerate_cube(burn_dispatch::devices::RuntimeId::Cuda),
            #[cfg(feature = "burn-vulkan")]
            Device::Vulkan(_) => || graphics(burn_dispatch::devices::WgpuBackend::Vulkan),
            #[cfg(feature = "burn-metal")]
            Device::Metal(_) => || graphics(burn_dispatch::devices::WgpuBackend::Metal),
            #[cfg(feature = "burn-webgpu")]
            Device::WebGpu(_) => || graphics(burn_dispatch::devices::WgpuBackend::Auto),
            #[allow(unreachable_patterns)]
            _ => return None,
        };
        Some(catch_unwind(list).unwrap_or_default())
    }
}

// The adapters of a graphics API, discrete GPUs first. The default device is only a name for one of them.
#[cfg(any(feature = "burn-vulkan", feature = "burn-metal", feature = "burn-webgpu"))]
fn graphics(api: burn_dispatch::devices::WgpuBackend) -> Vec<DispatchDevice> {
    use burn_dispatch::devices::{CubeDevice, WgpuDevice, WgpuDeviceKind};
    let kinds = [
        WgpuDeviceKind::DiscreteGpu(0),
        WgpuDeviceKind::IntegratedGpu(0),
        WgpuDeviceKind::VirtualGpu(0),
        WgpuDeviceKind::Cpu,
        WgpuDeviceKind::Other(0),
    ];
    let ids = kinds
        .into_iter()
        .flat_map(|kind| CubeDevice::enumerate(CubeDevice::Wgpu(WgpuDevice::new(kind).on(api)).to_id()));
    let mut devices: Vec<CubeDevice> = Vec::new();
    for device in ids.map(CubeDevice::from_id) {
        if !devices.contains(&device) {
            devices.push(device);
        }
    }
    devices.into_iter().map(DispatchDevice::from).collect()
}
