//! A sheet of square panels in rows and columns, with titles; drawn as SVG, with pixels inside where there are many.

use std::path::Path;

use anyhow::Result;
use plotters::coord::Shift;
use plotters::coord::ranged1d::Ranged;
use plotters::coord::types::RangedCoordf64;
use plotters::element::{Drawable, PointCollection};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters_backend::{BackendCoord, DrawingBackend, DrawingErrorKind};

/// What is drawn on.
pub type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

const GAP: u32 = 8;
const HEAD: u32 = 26;
const FOOT: u32 = 18;
pub const INK: RGBColor = RGBColor(34, 34, 34);
pub const BLUE: RGBColor = RGBColor(0, 114, 178); // of Okabe and Ito's colours, which the colour-blind can tell apart
pub const ORANGE: RGBColor = RGBColor(213, 94, 0);
pub const GREEN: RGBColor = RGBColor(0, 158, 115);

/// Panels of one size.
pub struct Sheet<'a> {
    root: Area<'a>,
    left: u32,
    size: (u32, u32),
}

impl<'a> Sheet<'a> {
    /// Rows and columns by their titles; `left` pixels are for the titles of rows.
    pub fn new(
        file: &'a Path,
        rows: &[impl AsRef<str>],
        columns: &[impl AsRef<str>],
        size: (u32, u32),
        left: u32,
    ) -> Result<Self> {
        let (n_rows, n_columns) = (rows.len() as u32, columns.len() as u32);
        let whole = (left + n_columns * (size.0 + GAP) + GAP, HEAD + n_rows * (size.1 + FOOT + GAP));
        let root = SVGBackend::new(file, whole).into_drawing_area();
        root.fill(&WHITE)?;
        let sheet = Self { root, left, size };
        for (column, title) in columns.iter().enumerate() {
            let x = sheet.corner(0, column).0 + size.0 as i32 / 2;
            sheet.text(title.as_ref(), (x, HEAD as i32 - 8), 14, HPos::Center)?;
        }
        for (row, title) in rows.iter().enumerate() {
            let y = sheet.corner(row, 0).1 + size.1 as i32 / 2;
            for (line, part) in title.as_ref().split('\n').enumerate() {
                sheet.text(part, (left as i32 - 2, y + 16 * line as i32), 13, HPos::Right)?;
            }
        }
        Ok(sheet)
    }

    /// A panel.
    pub fn panel(&self, row: usize, column: usize) -> Area<'a> {
        self.root.clone().shrink(self.corner(row, column), self.size)
    }

    /// A line below a panel.
    pub fn note(&self, row: usize, column: usize, text: &str) -> Result<()> {
        let (x, y) = self.corner(row, column);
        self.text(text, (x + self.size.0 as i32 / 2, y + (self.size.1 + FOOT) as i32 - 5), 11, HPos::Center)
    }

    /// Finishes the file.
    pub fn finish(self) -> Result<()> {
        Ok(self.root.present()?)
    }

    fn corner(&self, row: usize, column: usize) -> (i32, i32) {
        let (width, height) = self.size;
        let x = self.left + GAP + column as u32 * (width + GAP);
        let y = HEAD + row as u32 * (height + FOOT + GAP);
        (x as i32, y as i32)
    }

    fn text(&self, text: &str, at: (i32, i32), size: u32, align: HPos) -> Result<()> {
        let style = ("sans-serif", size).into_font().color(&INK).pos(Pos::new(align, VPos::Bottom));
        Ok(self.root.draw_text(text, &style, at)?)
    }
}

/// A picture of `values` on a square, row by row from the top, from `low` to `high`; what is not a number is grey.
pub fn heat<M: ColorMap<RGBColor, f64>>(
    panel: &Area<'_>,
    values: &[f64],
    (low, high): (f64, f64),
    map: &M,
) -> Result<()> {
    let cells = values.len().isqrt();
    let (width, height) = panel.dim_in_pixel();
    let side = width.min(height);
    let pixel = |value: &f64| match value.is_finite() {
        true => map.get_color_normalized(value.clamp(low, high), low, high),
        false => RGBColor(160, 160, 160),
    };
    let colours: Vec<RGBColor> = values.iter().map(pixel).collect();
    let cell = |at: u32| at as usize * cells / side as usize;
    let of_row = |y: u32| (0..side).map(move |x| cell(y) * cells + cell(x));
    let rgb = (0..side).flat_map(of_row).flat_map(|at| [colours[at].0, colours[at].1, colours[at].2]).collect();
    Ok(panel.draw(&Pixels { corner: (0, 0), side, rgb })?)
}

/// A square of pixels: plotters has such an element, but only with its bitmap backend.
struct Pixels {
    corner: BackendCoord,
    side: u32,
    rgb: Vec<u8>,
}

impl<'a> PointCollection<'a, BackendCoord> for &'a Pixels {
    type Point = &'a BackendCoord;
    type IntoIter = std::iter::Once<&'a BackendCoord>;

    fn point_iter(self) -> Self::IntoIter {
        std::iter::once(&self.corner)
    }
}

impl<B: DrawingBackend> Drawable<B> for Pixels {
    fn draw<I: Iterator<Item = BackendCoord>>(
        &self,
        mut corner: I,
        backend: &mut B,
        _: (u32, u32),
    ) -> std::result::Result<(), DrawingErrorKind<B::ErrorType>> {
        corner.next().map_or(Ok(()), |corner| backend.blit_bitmap(corner, (self.side, self.side), &self.rgb))
    }
}

/// Curves in a square [−extent, extent]², without axes.
pub fn square<'a, 'b>(panel: &Area<'b>, extent: f64) -> Result<Plane<'a, 'b>> {
    let mut chart = ChartBuilder::on(panel).build_cartesian_2d(-extent..extent, -extent..extent)?;
    let frame = [(-extent, -extent), (extent, -extent), (extent, extent), (-extent, extent), (-extent, -extent)];
    chart.draw_series(LineSeries::new(frame, INK.mix(0.3)))?;
    Ok(chart)
}

/// Numbers to the right, and a scale of one's choice upwards.
pub type Chart<'a, 'b, Y> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<RangedCoordf64, Y>>;

/// A plane to draw in.
pub type Plane<'a, 'b> = Chart<'a, 'b, RangedCoordf64>;

/// Whether a point lies in the square [−extent, extent]².
pub fn within((x, y): (f64, f64), extent: f64) -> bool {
    x.abs().max(y.abs()) <= extent
}

/// A line with its entry in the legend.
pub fn curve<Y: Ranged<ValueType = f64>>(
    chart: &mut Chart<'_, '_, Y>,
    points: impl IntoIterator<Item = (f64, f64)>,
    label: &str,
    colour: RGBColor,
) -> Result<()> {
    chart
        .draw_series(LineSeries::new(points, colour.stroke_width(2)))?
        .label(label)
        .legend(move |(x, y)| PathElement::new([(x, y), (x + 14, y)], colour.stroke_width(2)));
    Ok(())
}

/// What the lines are.
pub fn legend<'a, 'b: 'a, Y: Ranged<ValueType = f64>>(chart: &mut Chart<'a, 'b, Y>) -> Result<()> {
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperRight)
        .background_style(WHITE.mix(0.8))
        .label_font(("sans-serif", 10))
        .draw()?;
    Ok(())
}

/// A circle about the origin of a square plane, by its own element: lines go from pixel to pixel.
pub fn ring(plane: &mut Plane<'_, '_>, radius: f64, opacity: f64) -> Result<()> {
    let area = plane.plotting_area();
    let pixels = area.map_coordinate(&(radius, 0.0)).0 - area.map_coordinate(&(0.0, 0.0)).0;
    plane.draw_series(std::iter::once(Circle::new((0.0, 0.0), pixels, INK.mix(opacity))))?;
    Ok(())
}

/// An arrow from one point to another, its head a fixed share of it.
pub fn arrow(plane: &mut Plane<'_, '_>, from: (f64, f64), to: (f64, f64), colour: RGBColor) -> Result<()> {
    let (dx, dy) = (to.0 - from.0, to.1 - from.1);
    let wing = |sign: f64| (to.0 - 0.35 * dx - sign * 0.2 * dy, to.1 - 0.35 * dy + sign * 0.2 * dx);
    for line in [[from, to], [wing(1.0), to], [wing(-1.0), to]] {
        plane.draw_series(LineSeries::new(line, colour))?;
    }
    Ok(())
}
