//! The one trait of the stream path, and how steps join. Who drives a step is left to `gateway`.

use crate::error::Error;

/// A stateful step from one stream of items to the next.
pub trait Step {
    /// What goes in.
    type In;
    /// What comes out.
    type Out;

    /// Takes one item; pushes what follows from it to `out`.
    ///
    /// # Errors
    /// Where the stream cannot go on. What was pushed before the error still counts; the caller
    /// then finishes the step with [`Ending::Failed`].
    fn push(&mut self, item: Self::In, out: &mut Vec<Self::Out>) -> Result<(), Error>;

    /// Ends the stream: closes what is open and says the error, if there was one. Returns a failure
    /// that only the end has shown.
    fn finish(&mut self, ending: Ending<'_>, out: &mut Vec<Self::Out>) -> Option<Error>;

    /// Whether nothing that still comes can matter, so that the source may be dropped.
    fn is_over(&self) -> bool {
        false
    }
}

/// How a stream of items ended.
#[derive(Debug, Clone, Copy)]
pub enum Ending<'a> {
    /// The source has no more items.
    Complete,
    /// The source, or a step before this one, failed.
    Failed(&'a Error),
}

/// Two steps as one: what the first makes goes into the second.
pub struct Then<A: Step, B> {
    first: A,
    second: B,
    between: Vec<A::Out>,
}

impl<A: Step, B: Step<In = A::Out>> Then<A, B> {
    /// Joins two steps.
    pub fn new(first: A, second: B) -> Self {
        Self { first, second, between: Vec::new() }
    }

    /// The first step.
    pub fn first(&self) -> &A {
        &self.first
    }

    /// The second step.
    pub fn second(&self) -> &B {
        &self.second
    }

    fn hand_over(&mut self, out: &mut Vec<B::Out>) -> Result<(), Error> {
        for item in self.between.drain(..) {
            self.second.push(item, out)?;
        }
        Ok(())
    }
}

impl<A: Step, B: Step<In = A::Out>> Step for Then<A, B> {
    type In = A::In;
    type Out = B::Out;

    fn push(&mut self, item: Self::In, out: &mut Vec<Self::Out>) -> Result<(), Error> {
        let pushed = self.first.push(item, &mut self.between);
        self.hand_over(out)?;
        pushed
    }

    fn finish(&mut self, ending: Ending<'_>, out: &mut Vec<Self::Out>) -> Option<Error> {
        let failed = self.first.finish(ending, &mut self.between);
        let failed = self.hand_over(out).err().or(failed);
        match failed {
            Some(error) => {
                self.second.finish(Ending::Failed(&error), out);
                Some(error)
            }
            None => self.second.finish(ending, out),
        }
    }

    fn is_over(&self) -> bool {
        self.first.is_over() || self.second.is_over()
    }
}
