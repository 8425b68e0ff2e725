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

/// Returns the picture with each square of `SIDE` by `SIDE` pixels averaged into one pixel. The side is known when this is compiled, so
/// that sums are taken many at a time and divided by shifting: with any side it took a third of a report's time.
pub(super) fn averaged<const SIDE: usize>(pixels: &[u8], width: u32) -> Vec<u8> {
    let row_len = width as usize * 3;
    let small_len = row_len / SIDE;
    let mut small = Vec::with_capacity(pixels.len() / (SIDE * SIDE));
    let mut before: &[u8] = &[];
    let mut sums = vec![0_u16; row_len];
    for rows in pixels.chunks_exact(row_len * SIDE) {
        // Most rows of a plot are like those above them.
        if rows == before {
            small.extend_from_within(small.len() - small_len..);
            continue;
        }
        before = rows;
        sums.fill(0);
        for row in rows.chunks_exact(row_len) {
            for (sum, channel) in sums.iter_mut().zip(row) {
                *sum += u16::from(*channel);
            }
        }
        let area = (SIDE * SIDE) as u16;
        let begin = small.len();
        small.resize(begin + small_len, 0);
        for (pixel, square) in small[begin..].chunks_exact_mut(3).zip(sums.chunks_exact(3 * SIDE)) {
            for (channel, mean) in pixel.iter_mut().enumerate() {
                let sum: u16 = (0..SIDE).map(|place| square[3 * place + channel]).sum();
                *mean = ((sum + area / 2) / area) as u8;
            }
        }
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
        assert_eq!(averaged::<2>(&pair, 4), [10, 20, 30, 20, 30, 40]);
        // And once more, where the rows are the same again.
        assert_eq!(averaged::<2>(&[pair.clone(), pair].concat(), 4), [10, 20, 30, 20, 30, 40].repeat(2));
    }
}
