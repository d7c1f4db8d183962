//! Plots of cost against size, as SVG that can be read on a light and on a dark page.
//!
//! `plotters` was considered: it writes colours into each element, so that a plot does not follow
//! the page's colour scheme, and has no labels at the end of a curve; these and the formats of the
//! axes would have to be written for it too.

use std::fmt::Write as _;

/// Cost against one size.
#[derive(Debug)]
pub struct Plot {
    /// Name of the horizontal axis.
    pub size: &'static str,
    /// Curves that are compared.
    pub curves: Vec<Curve>,
}

impl Plot {
    /// Ours beside webpki's.
    pub fn beside_webpki(size: &'static str, ours: Vec<(usize, f64)>, webpki: Vec<(usize, f64)>) -> Self {
        let curves = [("alb-mtls", ours), ("webpki", webpki)];
        Self {
            size,
            curves: curves.map(|(name, points)| Curve { name, points }).into(),
        }
    }
}

/// Growth of the cost of one subject.
#[derive(Debug)]
pub struct Curve {
    /// Name of the subject.
    pub name: &'static str,
    /// Sizes and seconds.
    pub points: Vec<(usize, f64)>,
}

const WIDTH: f64 = 420.0;
const HEIGHT: f64 = 300.0;
const LEFT: f64 = 62.0;
const RIGHT: f64 = 112.0;
const TOP: f64 = 46.0;
const BOTTOM: f64 = 50.0;

const STYLE: &str = "text{font:12px system-ui,sans-serif;fill:#57606a}.title{font-size:14px;font-weight:600;fill:#1f2328}\
.grid{stroke:#d0d7de;stroke-width:1}.c0{stroke:#0969da;fill:#0969da}.c1{stroke:#bc4c00;fill:#bc4c00}\
path{fill:none!important;stroke-width:2.5}.name{stroke:none!important;font-weight:600}\
@media(prefers-color-scheme:dark){text{fill:#9198a1}.title{fill:#f0f6fc}.grid{stroke:#3d444d}\
.c0{stroke:#4493f8;fill:#4493f8}.c1{stroke:#f0883e;fill:#f0883e}}";

impl Plot {
    /// Plots side by side, with one line that says what they are of.
    pub fn svg(plots: &[Self], title: &str) -> String {
        let width = WIDTH * plots.len() as f64;
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {HEIGHT}\" width=\"{width}\" \
             height=\"{HEIGHT}\" role=\"img\" aria-label=\"{title}\">\n<style>{STYLE}</style>\n\
             <text class=\"title\" x=\"{LEFT}\" y=\"20\">{title}</text>\n"
        );
        for (position, plot) in plots.iter().enumerate() {
            let _ = writeln!(svg, "<g transform=\"translate({} 0)\">", WIDTH * position as f64);
            plot.draw(&mut svg);
            svg += "</g>\n";
        }
        svg + "</svg>\n"
    }

    fn draw(&self, svg: &mut String) {
        let points = || self.curves.iter().flat_map(|curve| &curve.points);
        let seconds = points().map(|(_, seconds)| *seconds);
        let lowest = seconds.clone().fold(f64::INFINITY, f64::min).log10().floor();
        let highest = seconds.fold(f64::NEG_INFINITY, f64::max).log10().ceil();
        let across = Axis {
            from: points()
                .map(|(size, _)| logarithm(*size))
                .fold(f64::INFINITY, f64::min),
            to: points().map(|(size, _)| logarithm(*size)).fold(1.0, f64::max),
            start: LEFT,
            end: WIDTH - RIGHT,
        };
        let up = Axis {
            from: lowest,
            to: highest.max(lowest + 1.0),
            start: HEIGHT - BOTTOM,
            end: TOP,
        };
        let mut power = up.from;
        while power <= up.to {
            let y = up.place(power);
            let _ = writeln!(
                svg,
                "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{:.1}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>\
                 <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                across.end,
                LEFT - 8.0,
                y + 4.0,
                time(power)
            );
            power += 1.0;
        }
        let mut sizes: Vec<usize> = points().map(|(size, _)| *size).collect();
        sizes.sort_unstable();
        sizes.dedup();
        for size in sizes {
            let _ = writeln!(
                svg,
                "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
                across.place(logarithm(size)),
                up.start + 18.0,
                count(size)
            );
        }
        let _ = writeln!(
            svg,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
            f64::midpoint(across.start, across.end),
            up.start + 38.0,
            self.size
        );
        for (number, curve) in self.curves.iter().enumerate() {
            let places: Vec<(f64, f64)> = curve
                .points
                .iter()
                .map(|(size, seconds)| (across.place(logarithm(*size)), up.place(seconds.log10())))
                .collect();
            let line: Vec<String> = places.iter().map(|(x, y)| format!("{x:.1} {y:.1}")).collect();
            let _ = writeln!(svg, "<path class=\"c{number}\" d=\"M{}\"/>", line.join("L"));
            for (x, y) in &places {
                let _ = writeln!(
                    svg,
                    "<circle class=\"c{number}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\"/>"
                );
            }
            if let Some((x, y)) = places.last() {
                let _ = writeln!(
                    svg,
                    "<text class=\"name c{number}\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
                    x + 10.0,
                    y + 4.0,
                    curve.name
                );
            }
        }
    }
}

struct Axis {
    from: f64,
    to: f64,
    start: f64,
    end: f64,
}

impl Axis {
    fn place(&self, value: f64) -> f64 {
        self.start + (value - self.from) / (self.to - self.from) * (self.end - self.start)
    }
}

/// Returns the position of a size; zero is a power of ten to the left of a hundred.
fn logarithm(size: usize) -> f64 {
    if size == 0 { 2.0 } else { (size as f64).log10() }
}

fn time(power: f64) -> String {
    match power {
        ..-6.0 => format!("{:.0} ns", 10_f64.powf(power + 9.0)),
        -6.0..-3.0 => format!("{:.0} µs", 10_f64.powf(power + 6.0)),
        -3.0..0.0 => format!("{:.0} ms", 10_f64.powf(power + 3.0)),
        _ => format!("{:.0} s", 10_f64.powf(power)),
    }
}

fn count(size: usize) -> String {
    match size {
        0 => "none".to_owned(),
        1..1_000 => size.to_string(),
        1_000..1_000_000 => format!("{}k", size / 1_000),
        _ => format!("{}M", size / 1_000_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_point_is_drawn_once_and_inside() {
        let plot = Plot {
            size: "entries",
            curves: vec![Curve {
                name: "one",
                points: vec![(0, 1e-4), (1_000, 1e-4), (100_000, 5e-3)],
            }],
        };
        let svg = Plot::svg(&[plot], "cost");
        assert_eq!(svg.matches("<circle").count(), 3);
        let (_, circles) = svg.split_once("<circle").unwrap();
        for attribute in ["cx=\"", "cy=\""] {
            for rest in circles.split(attribute).skip(1) {
                let place: f64 = rest.split('"').next().unwrap().parse().unwrap();
                assert!((0.0..=WIDTH).contains(&place), "{place}");
            }
        }
    }
}
