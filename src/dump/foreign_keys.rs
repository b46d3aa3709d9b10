//! What foreign keys say, and in which order tables go in for them.

use sqlite3_parser::ast::ForeignKeyClause;

use super::identifier::unquote;

/// A foreign key of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ForeignKey {
    /// Its columns, as indexes into those of the table.
    pub(super) columns: Vec<usize>,
    pub(super) parent: String,
    /// The columns of `parent`; its primary key where there are none.
    pub(super) to: Vec<String>,
}

impl ForeignKey {
    pub(super) fn new(columns: Vec<usize>, clause: &ForeignKeyClause<'_>) -> Self {
        let to = clause.columns.unwrap_or_default().iter().map(|column| unquote(column.col_name.0)).collect();
        Self { columns, parent: unquote(clause.tbl_name.0), to }
    }
}

/// Each number after those of its parents, else in order. Where parents go in a circle no order is right.
pub(super) fn parents_first(parents_of: &[Vec<usize>]) -> Vec<usize> {
    let mut order = Vec::with_capacity(parents_of.len());
    let mut seen = vec![false; parents_of.len()];
    (0..parents_of.len()).for_each(|number| visit(number, parents_of, &mut seen, &mut order));
    order
}

/// For each number that of its circle: two have the same if each is an ancestor of the other.
#[inline(never)] // Once in the module.
pub(super) fn circles(parents_of: &[Vec<usize>]) -> Vec<usize> {
    let mut children_of = vec![Vec::new(); parents_of.len()];
    for (child, parents) in parents_of.iter().enumerate() {
        for &parent in parents {
            children_of.get_mut(parent).into_iter().for_each(|children| children.push(child));
        }
    }
    let mut circles = vec![0; parents_of.len()];
    let mut seen = vec![false; parents_of.len()];
    // Kosaraju's algorithm.
    for (circle, &number) in parents_first(parents_of).iter().rev().enumerate() {
        let mut members = Vec::new();
        visit(number, &children_of, &mut seen, &mut members);
        for member in members {
            circles.get_mut(member).into_iter().for_each(|of| *of = circle);
        }
    }
    circles
}

/// Appends to `order` what `next` leads to from `number` on and was not seen, and then `number`.
fn visit(number: usize, next: &[Vec<usize>], seen: &mut [bool], order: &mut Vec<usize>) {
    let mut is_new = |number: usize| seen.get_mut(number).is_some_and(|seen| !core::mem::replace(seen, true));
    // A path, each with how many were gone to from there.
    let mut path: Vec<(usize, usize)> = if is_new(number) { vec![(number, 0)] } else { Vec::new() };
    while let Some((last, gone)) = path.last_mut() {
        match next.get(*last).and_then(|next| next.get(*gone)).copied() {
            Some(next) => {
                *gone += 1;
                if is_new(next) {
                    path.push((next, 0));
                }
            }
            None => {
                order.push(*last);
                path.pop();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parents_go_first_and_circles_are_found() {
        // 0 and 3 refer to each other by way of 1; 2 refers to itself and to 4.
        let parents_of = [vec![1], vec![3], vec![2, 4], vec![0, 4], vec![]];
        assert_eq!(parents_first(&parents_of), [4, 3, 1, 0, 2]);
        let circles = circles(&parents_of);
        assert_eq!((circles[0], circles[0]), (circles[1], circles[3]));
        let mut others = [circles[0], circles[2], circles[4]];
        others.sort_unstable();
        assert!(others.windows(2).all(|pair| pair[0] != pair[1]), "{circles:?}");
    }
}
