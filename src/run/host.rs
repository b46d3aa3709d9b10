//! How a machine and its host talk: requests out, answers in.
//!
//! A machine is written as one story from top to bottom that waits for its host ([`Host::call`]). [`Machine`] runs it
//! as far as the answers go; nothing in it blocks, reads a clock or draws a random number.

use core::cell::RefCell;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use std::collections::VecDeque;
use std::rc::Rc;

use super::Failure;
use super::request::{Answer, Id, Request};
use crate::error::ErrorKind;

/// What a machine comes to.
pub type Outcome<T> = Result<T, Failure>;

/// A machine that speaks [`Request`] and [`Answer`].
pub type Machine<T> = Telling<Outcome<T>, Request, Answer>;

/// What may say that a request could not be performed.
pub trait Reply: Sized {
    /// Why.
    type Failure;

    /// The reply, unless it says so.
    ///
    /// # Errors
    /// Why the request could not be performed.
    fn settled(self) -> Result<Self, Self::Failure>;
}

impl Reply for Answer {
    type Failure = Failure;

    fn settled(self) -> Outcome<Self> {
        match self {
            Self::Failed(failure) => Err(failure.into()),
            answer => Ok(answer),
        }
    }
}

/// A job under way, which asks with `Q`, is answered with `A` and comes to `O`. Call [`Telling::poll`] until it gives no
/// more requests, perform them, [`Telling::answer`] each, and poll again, until [`Telling::take_outcome`] gives what the job
/// came to.
pub struct Telling<O, Q, A> {
    calls: Calls<Q, A>,
    /// `None` once it has ended.
    story: Option<Pin<Box<dyn Future<Output = O>>>>,
    outcome: Option<O>,
}

/// What a story asks its host through. Clones are the same host.
pub struct Host<Q = Request, A = Answer>(Calls<Q, A>);

type Calls<Q, A> = Rc<RefCell<Exchange<Q, A>>>;

struct Exchange<Q, A> {
    last: Id,
    /// Not yet given out.
    asked: VecDeque<(Id, Q)>,
    /// Those the story waits for; `None` until they are answered.
    awaited: Vec<(Id, Option<A>)>,
    /// Whether the story can go on.
    has_news: bool,
    now_ms: i64,
}

impl<O, Q, A> Telling<O, Q, A> {
    /// Begins the story that `tell` gives for its host.
    pub fn new<F: Future<Output = O> + 'static>(tell: impl FnOnce(Host<Q, A>) -> F) -> Self {
        let exchange = Exchange { last: 0, asked: VecDeque::new(), awaited: Vec::new(), has_news: true, now_ms: 0 };
        let calls = Rc::new(RefCell::new(exchange));
        let story = Box::pin(tell(Host(calls.clone())));
        Self { calls, story: Some(story), outcome: None }
    }

    /// The next request, with the name that its answer must have; `None` when answers are needed first, or when the job
    /// has ended. `now_ms` is the time, in milliseconds since 1970.
    pub fn poll(&mut self, now_ms: i64) -> Option<(Id, Q)> {
        loop {
            let has_news = {
                let mut calls = self.calls.borrow_mut();
                if let Some(request) = calls.asked.pop_front() {
                    return Some(request);
                }
                calls.now_ms = now_ms;
                core::mem::take(&mut calls.has_news)
            };
            let story = self.story.as_mut().filter(|_| has_news)?;
            if let Poll::Ready(outcome) = story.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                self.story = None;
                self.outcome = Some(outcome);
            }
        }
    }

    /// Takes what came of a request. An answer that nobody waits for any more, or that comes twice, changes nothing.
    pub fn answer(&mut self, id: Id, answer: A) {
        let mut calls = self.calls.borrow_mut();
        let awaited = calls.awaited.iter_mut().find(|(other, _)| *other == id);
        let Some((_, awaited)) = awaited.filter(|(_, awaited)| awaited.is_none()) else { return };
        *awaited = Some(answer);
        calls.has_news = true;
    }

    /// What the job came to; `None` while it is under way, and once it was taken.
    pub fn take_outcome(&mut self) -> Option<O> {
        self.outcome.take()
    }
}

impl<Q, A> Clone for Host<Q, A> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<Q, A: Reply> Host<Q, A> {
    /// The time of the last poll, in milliseconds since 1970.
    pub fn now_ms(&self) -> i64 {
        self.0.borrow().now_ms
    }

    /// Asks for something. It is under way from now on, whether it is awaited yet or not; dropped, it is not waited for
    /// any more.
    #[inline(never)] // Once, and not wherever a story waits: it is told in some fifty places.
    pub fn call(&self, request: Q) -> Call<Q, A> {
        let id = self.post(request);
        self.0.borrow_mut().awaited.push((id, None));
        Call { calls: self.0.clone(), id }
    }

    /// Asks for something and does not wait for it.
    pub fn post(&self, request: Q) -> Id {
        let mut calls = self.0.borrow_mut();
        calls.last += 1;
        let id = calls.last;
        calls.asked.push_back((id, request));
        id
    }
}

impl Host {
    /// Asks for something that has no answer but that it is done.
    pub fn perform(&self, request: Request) -> Performed {
        Performed(self.call(request))
    }

    /// Asks for bytes.
    pub fn bytes(&self, request: Request) -> Bytes {
        Bytes(self.call(request))
    }
}

/// A request under way, which gives its answer.
pub struct Call<Q = Request, A = Answer> {
    calls: Calls<Q, A>,
    id: Id,
}

impl<Q, A: Reply> Call<Q, A> {
    /// Its name.
    pub fn id(&self) -> Id {
        self.id
    }

    #[inline(never)]
    fn look(&mut self) -> Poll<Result<A, A::Failure>> {
        let mut calls = self.calls.borrow_mut();
        let answer = calls.awaited.iter_mut().find(|(id, _)| *id == self.id).and_then(|(_, answer)| answer.take());
        answer.map_or(Poll::Pending, |answer| Poll::Ready(answer.settled()))
    }
}

impl<Q, A: Reply> Future for Call<Q, A> {
    type Output = Result<A, A::Failure>;

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
        self.look()
    }
}

/// A [`Call`] of which it is enough that it is done.
pub struct Performed(Call);

impl Future for Performed {
    type Output = Outcome<()>;

    #[inline(never)]
    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.look().map_ok(|_| ())
    }
}

/// A [`Call`] that gives bytes.
pub struct Bytes(Call);

impl Future for Bytes {
    type Output = Outcome<Vec<u8>>;

    #[inline(never)]
    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.look().map(|answer| match answer? {
            Answer::Bytes(bytes) => Ok(bytes),
            _ => Err(ErrorKind::Usage.into()),
        })
    }
}

impl<Q, A> Drop for Call<Q, A> {
    #[inline(never)]
    fn drop(&mut self) {
        let mut calls = self.calls.borrow_mut();
        calls.awaited.retain(|&(id, _)| id != self.id);
        calls.asked.retain(|&(id, _)| id != self.id);
    }
}
