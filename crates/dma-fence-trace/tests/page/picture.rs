//! Screenshots: what colours are where.

use std::collections::HashSet;

pub(crate) type Colour = [u8; 3];

/// What means stuck, in light and in dark: `--stuck` of the style.
pub(crate) const STUCK: [Colour; 2] = [[0xd3, 0x24, 0x2f], [0xe0, 0x32, 0x3d]];

/// Dependencies, and waits of threads, in light: `--arrow` and `--wait`.
pub(crate) const ARROW: Colour = [0x7b, 0x87, 0x97];
pub(crate) const WAIT: Colour = [0x17, 0x1c, 0x26];

pub(crate) struct Picture {
    pub(crate) width: usize,
    pixels: Vec<Colour>,
}

impl Picture {
    /// From the PNG in base64 that the browser sends.
    pub(crate) fn new(base64: &str) -> (Self, Vec<u8>) {
        let png = bytes(base64);
        let mut reader = png::Decoder::new(std::io::Cursor::new(&png)).read_info().expect("a PNG");
        let mut raw = vec![0; reader.output_buffer_size().expect("a small picture")];
        let info = reader.next_frame(&mut raw).expect("a whole PNG");
        let channels = info.color_type.samples();
        assert!(channels >= 3, "colours");
        let pixels = raw[..info.buffer_size()].chunks(channels).map(|p| [p[0], p[1], p[2]]);
        (Self { width: info.width as usize, pixels: pixels.collect() }, png)
    }

    pub(crate) fn at(&self, x: usize, y: usize) -> Colour {
        self.pixels[y * self.width + x]
    }

    pub(crate) fn height(&self) -> usize {
        self.pixels.len() / self.width
    }

    pub(crate) fn colours(&self) -> usize {
        self.pixels.iter().collect::<HashSet<_>>().len()
    }

    /// How many pixels have a colour in a part of the picture.
    pub(crate) fn count(&self, colour: Colour, [x, y, right, bottom]: [usize; 4]) -> usize {
        let pixels = (y..bottom).flat_map(|y| (x..right).map(move |x| (x, y)));
        pixels.filter(|&(x, y)| self.at(x, y) == colour).count()
    }

    /// The bars of a colour in a part of the picture, from the top: a point near each one's left end.
    pub(crate) fn bars(
        &self,
        colour: Colour,
        [x, y, right, bottom]: [usize; 4],
    ) -> Vec<(usize, usize)> {
        let mut bars: Vec<(usize, usize)> = Vec::new();
        let run = 12;
        for y in y..bottom.min(self.height()) {
            let starts = (x..right.min(self.width) - run)
                .find(|&x| (x..x + run).all(|x| self.at(x, y) == colour));
            if let Some(x) = starts {
                match bars.last_mut() {
                    Some(bar) if bar.1 + 1 >= y => bar.1 = y,
                    _ => bars.push((x + run / 2, y)),
                }
            }
        }
        // The last line that was red is the lower edge.
        bars.iter_mut().for_each(|bar| bar.1 -= 2);
        bars
    }
}

fn bytes(base64: &str) -> Vec<u8> {
    let (mut bytes, mut bits, mut held) = (Vec::new(), 0_u32, 0);
    for digit in base64.bytes().filter(|&digit| digit != b'=') {
        let value = match digit {
            b'A'..=b'Z' => digit - b'A',
            b'a'..=b'z' => digit - b'a' + 26,
            b'0'..=b'9' => digit - b'0' + 52,
            b'+' => 62,
            _ => 63,
        };
        bits = bits << 6 | u32::from(value);
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held) as u8);
        }
    }
    bytes
}
