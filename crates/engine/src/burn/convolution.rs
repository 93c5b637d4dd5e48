//! Convolution and its two adjoints.

use super::kernel::{Kernel, Site, take};
use super::layout::range;
use burn_backend::Slice as Range;
use burn_backend::ops::{ConvOptions, FloatTensorOps, ModuleOps, PadMode};
use burn_dispatch::{Dispatch, DispatchTensor};
use perturb_graph::{Convolution, Slot};

/// All three slots by Burn's convolution and its gradients. The padding is made explicit, so that any amounts before and
/// after an axis are served alike on every device.
pub(super) fn conv(conv: &Convolution, site: &Site) -> Result<Kernel, String> {
    match conv.strides.len() {
        1 => Ok(spatial::<1>(conv, site)),
        2 => Ok(spatial::<2>(conv, site)),
        3 => Ok(spatial::<3>(conv, site)),
        n => Err(format!("Burn convolves over one to three spatial axes, not {n}")),
    }
}

trait Spatial<const N: usize> {
    fn response(x: DispatchTensor, w: DispatchTensor, options: ConvOptions<N>) -> DispatchTensor;
    fn image(x: DispatchTensor, w: DispatchTensor, y: DispatchTensor, options: ConvOptions<N>) -> DispatchTensor;
    fn kernel(x: DispatchTensor, w: DispatchTensor, y: DispatchTensor, options: ConvOptions<N>) -> DispatchTensor;
}

macro_rules! spatial {
    ($n:literal, $response:ident, $image:ident, $kernel:ident) => {
        impl Spatial<$n> for Dispatch {
            fn response(x: DispatchTensor, w: DispatchTensor, options: ConvOptions<$n>) -> DispatchTensor {
                Dispatch::$response(x, w, None, options)
            }
            fn image(
                x: DispatchTensor,
                w: DispatchTensor,
                y: DispatchTensor,
                options: ConvOptions<$n>,
            ) -> DispatchTensor {
                Dispatch::$image(x, w, y, options)
            }
            fn kernel(
                x: DispatchTensor,
                w: DispatchTensor,
                y: DispatchTensor,
                options: ConvOptions<$n>,
            ) -> DispatchTensor {
                Dispatch::$kernel(x, w, y, options)
            }
        }
    };
}
spatial!(1, conv1d, conv1d_x_backward, conv1d_weight_backward);
spatial!(2, conv2d, conv2d_x_backward, conv2d_weight_backward);
spatial!(3, conv3d, conv3d_x_backward, conv3d_weight_backward);

fn spatial<const N: usize>(conv: &Convolution, site: &Site) -> Kernel
where
    Dispatch: Spatial<N>,
{
    let each = |f: &dyn Fn(usize) -> usize| std::array::from_fn::<usize, N, _>(f);
    let stride = each(&|a| conv.strides[a]);
    let dilation = each(&|a| conv.dilation[a]);
    let options = ConvOptions::new(stride, [0; N], dilation, conv.groups);
    let around: Vec<(usize, usize)> = [(0, 0), (0, 0)].into_iter().chain(conv.padding.iter().copied()).collect();
    let padded = around.iter().any(|&p| p != (0, 0));
    let pad = move |x: DispatchTensor, around: &[(usize, usize)]| {
        if padded { Dispatch::float_pad(x, around, PadMode::Constant(0.0)) } else { x }
    };
    let (shape, device, float) = (site.shape.to_vec(), site.device.clone(), site.float());
    match conv.result {
        Slot::Response => Box::new(move |operands| {
            let [x, w] = take(operands);
            Dispatch::response(pad(x, &around), w, options.clone())
        }),
        Slot::Kernel => Box::new(move |operands| {
            let [x, y] = take(operands);
            // Only the shape of the kernel counts.
            let like = Dispatch::float_empty(shape.clone().into(), &device, float);
            Dispatch::kernel(pad(x, &around), like, y, options.clone())
        }),
        Slot::Image => {
            let whole: Vec<usize> = shape.iter().zip(&around).map(|(n, (low, high))| n + low + high).collect();
            let kept: Vec<Range> = shape.iter().zip(&around).map(|(&n, &(low, _))| range(low, low + n, 1)).collect();
            Box::new(move |operands| {
                let [y, w] = take(operands);
                // Only the shape of the image counts.
                let like = Dispatch::float_empty(whole.clone().into(), &device, float);
                let x = Dispatch::image(like, w, y, options.clone());
                if padded { Dispatch::float_slice(x, &kept) } else { x }
            })
        }
    }
}
