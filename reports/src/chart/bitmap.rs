//! From pixels to a PNG file, small: a plot has few colours, so that a byte a pixel says which.

use std::collections::BTreeMap;

/// The most colours of a palette.
const COLORS_MAX: usize = 256;

/// A PNG file of RGB pixels, row by row.
pub(super) fn file(pixels: &[u8], width: u32, height: u32) -> Vec<u8> {
    let (palette, indices) = indexed(pixels);
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, width, height);
    encoder.set_color(png::ColorType::Indexed);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_palette(palette);
    // Neighbours in a palette have nothing in common that a filter could make use of.
    encoder.set_filter(png::Filter::NoFilter);
    encoder.set_compression(png::Compression::Balanced);
    let mut writer = encoder.write_header().expect("writing to memory does not fail");
    writer.write_image_data(&indices).expect("the picture has the size that was announced");
    writer.finish().expect("writing to memory does not fail");
    file
}

/// The colours of `pixels`, and which one each pixel has. Where there are more than a palette holds, they are made alike a bit
/// at a time: what differs then are the shades at the edges of shapes.
fn indexed(pixels: &[u8]) -> (Vec<u8>, Vec<u8>) {
    (0..8).find_map(|bits| indexed_without(pixels, bits)).expect("a bit a channel makes eight colours")
}

/// The same with the last `bits` of each channel left out; `None` where the colours are too many.
fn indexed_without(pixels: &[u8], bits: u32) -> Option<(Vec<u8>, Vec<u8>)> {
    let key = |pixel: &[u8]| [pixel[0] >> bits, pixel[1] >> bits, pixel[2] >> bits];
    let (mut palette, mut known) = (Vec::new(), BTreeMap::new());
    let mut indices = Vec::with_capacity(pixels.len() / 3);
    let mut last = None;
    for pixel in pixels.chunks_exact(3) {
        let key = key(pixel);
        // Most pixels are like the one before.
        if let Some((of, index)) = last
            && of == key
        {
            indices.push(index);
            continue;
        }
        let index = if let Some(index) = known.get(&key) {
            *index
        } else if known.len() == COLORS_MAX {
            return None;
        } else {
            let index = known.len() as u8;
            known.insert(key, index);
            // The first colour of those that are made alike stands for all: the ground and the inks are met before their edges.
            palette.extend(pixel);
            index
        };
        last = Some((key, index));
        indices.push(index);
    }
    Some((palette, indices))
}

/// The picture with each square of `side` by `side` pixels made one.
pub(super) fn averaged(pixels: &[u8], width: u32, side: u32) -> Vec<u8> {
    let (width, area) = (width as usize, (side * side) as u16);
    let side = side as usize;
    let mut small = Vec::with_capacity(pixels.len() / usize::from(area));
    for rows in pixels.chunks_exact(width * 3 * side) {
        let mut sums = vec![0_u16; width / side * 3];
        for row in rows.chunks_exact(width * 3) {
            for (sum, pixels) in sums.chunks_exact_mut(3).zip(row.chunks_exact(3 * side)) {
                for pixel in pixels.chunks_exact(3) {
                    for channel in 0..3 {
                        sum[channel] += u16::from(pixel[channel]);
                    }
                }
            }
        }
        small.extend(sums.into_iter().map(|sum| ((sum + area / 2) / area) as u8));
    }
    small
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_colours_are_kept_as_they_are() {
        let pixels = [255, 255, 255, 0, 114, 178, 255, 255, 255];
        assert_eq!(indexed(&pixels), (vec![255, 255, 255, 0, 114, 178], vec![0, 1, 0]));
    }

    #[test]
    fn many_colours_are_made_alike_until_a_palette_holds_them() {
        let pixels: Vec<u8> = (0..=255_u8).flat_map(|red| [[red, 0, 0], [red, 255, 0]].concat()).collect();
        let (palette, indices) = indexed(&pixels);
        assert_eq!((palette.len(), indices.len()), (256 * 3, 512));
        for (pixel, index) in pixels.chunks_exact(3).zip(indices) {
            let color = &palette[3 * usize::from(index)..][..3];
            assert!(pixel.iter().zip(color).all(|(a, b)| a.abs_diff(*b) <= 1), "{pixel:?} {color:?}");
        }
    }
}
