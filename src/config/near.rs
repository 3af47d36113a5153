//! Names near to one that is not known, for hints.

/// A hint that names the candidates nearest to `name`; none if all are far.
pub(super) fn hint<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let limit = if name.chars().count() < 5 { 1 } else { 2 };
    let ranked = candidates.into_iter().map(|candidate| (distance(name, candidate), candidate));
    let near: Vec<(usize, &str)> = ranked.filter(|(distance, _)| *distance <= limit).collect();
    let nearest = near.iter().map(|(distance, _)| *distance).min()?;
    let mut names: Vec<String> = near
        .iter()
        .filter(|(distance, _)| *distance == nearest)
        .map(|(_, candidate)| format!("`{candidate}`"))
        .collect();
    names.dedup();
    Some(format!("did you mean {}?", names.join(" or ")))
}

/// How many characters must be put in, left out, replaced or swapped with their neighbour to turn
/// one text into the other; capitals do not matter.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.to_lowercase().chars().collect();
    let mut above: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    let mut previous: Option<char> = None;
    for (index, from) in left.to_lowercase().chars().enumerate() {
        let mut next = vec![index + 1];
        for (column, to) in right.iter().enumerate() {
            let at = |row: &[usize], column: usize| row.get(column).copied().unwrap_or(usize::MAX - 1);
            let mut best = at(&row, column) + usize::from(from != *to);
            best = best.min(at(&row, column + 1) + 1).min(at(&next, column) + 1);
            let before = column.checked_sub(1).and_then(|column| right.get(column));
            if previous == Some(*to) && before == Some(&from) {
                best = best.min(at(&above, column - 1) + 1);
            }
            next.push(best);
        }
        above = std::mem::replace(&mut row, next);
        previous = Some(from);
    }
    row.last().copied().unwrap_or(0)
}
