//! From pixels to a PNG file: what was drawn larger than it is to be seen, averaged, in full colour.

/// Returns RGB pixels, row by row, as a PNG file.
pub(super) fn file(pixels: &[u8], width: u32, height: u32) -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, width, height);
    // No palette: a plot with shades at the edges of its shapes has more colours than one holds, and making them alike would
    // change those of areas, too.
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    // A report has hundreds of pictures, and compressing them better took a third of its time.
    encoder.set_compression(png::Compression::Fast);
    let mut writer = encoder.write_header().expect("writing to memory does not fail");
    writer.write_image_data(pixels).expect("the picture has the size that was announced");
    writer.finish().expect("writing to memory does not fail");
    file
}

/// Returns the picture with each square of `side` by `side` pixels averaged into one pixel.
pub(super) fn averaged(pixels: &[u8], width: u32, side: u32) -> Vec<u8> {
    let (width, area) = (width as usize, (side * side) as u16);
    let side = side as usize;
    let mut small = Vec::with_capacity(pixels.len() / usize::from(area));
    let mut before: &[u8] = &[];
    for rows in pixels.chunks_exact(width * 3 * side) {
        // Most rows of a plot are like those above them.
        if rows == before {
            small.extend_from_within(small.len() - width / side * 3..);
            continue;
        }
        before = rows;
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
    fn an_area_keeps_its_colour_and_an_edge_is_between_two() {
        let row = [[10, 20, 30], [10, 20, 30], [10, 20, 30], [30, 40, 50]].concat();
        let pair = [row.clone(), row].concat();
        assert_eq!(averaged(&pair, 4, 2), [10, 20, 30, 20, 30, 40]);
        // And once more, where the rows are the same again.
        assert_eq!(averaged(&[pair.clone(), pair].concat(), 4, 2), [10, 20, 30, 20, 30, 40].repeat(2));
    }
}
