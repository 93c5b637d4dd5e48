//! Sudoku puzzles with their solutions.

use crate::error::{DataError, Result};
use crate::lines::Lines;
use std::path::Path;

/// A puzzle and its solution, cells row by row, digits 1 to 9, 0 for blank.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sudoku {
    /// The given digits.
    pub puzzle: [u8; 81],
    /// The solution, which agrees with them.
    pub solution: [u8; 81],
}

impl Sudoku {
    /// Loads a CSV file, gzipped or not, with the header `puzzle,solution`. Every solution is checked: each digit once in
    /// every row, column and box, and the given digits in their places.
    ///
    /// # Errors
    /// [`DataError`], with the line for malformed rows.
    pub fn load(path: &Path) -> Result<Vec<Sudoku>> {
        let mut puzzles = Vec::new();
        let mut header = true;
        Lines::open(path)?.for_each(|line| {
            let [puzzle, solution] = line.fields(',')?;
            if std::mem::take(&mut header) && puzzle == "puzzle" {
                return Ok(());
            }
            let cells = |text| parse(text).ok_or_else(|| line.error("a grid must have 81 digits"));
            let sudoku = Sudoku { puzzle: cells(puzzle)?, solution: cells(solution)? };
            sudoku.check().map_err(|reason| line.error(reason))?;
            puzzles.push(sudoku);
            Ok(())
        })?;
        if puzzles.is_empty() {
            return Err(DataError::Empty { path: path.to_path_buf(), expected: "rows of puzzle,solution" });
        }
        Ok(puzzles)
    }

    /// Number of blank cells.
    pub fn blanks(&self) -> usize {
        self.puzzle.iter().filter(|&&digit| digit == 0).count()
    }

    /// Whether each digit stands once in every row, column and box of a grid.
    pub fn is_solved(grid: &[u8; 81]) -> bool {
        let complete =
            |cells: &mut dyn Iterator<Item = usize>| cells.fold(0u16, |seen, c| seen | 1 << grid[c]) == 0x3fe;
        (0..9).all(|k| {
            let corner = k / 3 * 27 + k % 3 * 3;
            complete(&mut (0..9).map(|i| 9 * k + i))
                && complete(&mut (0..9).map(|i| 9 * i + k))
                && complete(&mut (0..9).map(|i| corner + i / 3 * 9 + i % 3))
        })
    }

    fn check(&self) -> Result<(), String> {
        if !Sudoku::is_solved(&self.solution) {
            return Err("the solution is none: a digit is missing from a row, column or box".to_string());
        }
        match (0..81).find(|&c| self.puzzle[c] != 0 && self.puzzle[c] != self.solution[c]) {
            None => Ok(()),
            Some(c) => Err(format!("the solution changes the digit given in row {}, column {}", c / 9 + 1, c % 9 + 1)),
        }
    }
}

fn parse(text: &str) -> Option<[u8; 81]> {
    let cells: [u8; 81] = text.as_bytes().try_into().ok()?;
    cells.iter().all(u8::is_ascii_digit).then(|| cells.map(|c| c - b'0'))
}
