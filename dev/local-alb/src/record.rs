use std::net::SocketAddr;
use std::time::Duration;

/// What the load balancer tells about what it does.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Record {
    /// A connection failed before there was a request: no handshake, or not HTTP.
    Connection {
        /// The client.
        client: SocketAddr,
        /// What went wrong.
        problem: String,
    },
    /// A health check of a target group ended.
    HealthCheck {
        /// The target group's name.
        target_group: String,
        /// The target's status, or why there is none.
        result: Result<u16, String>,
    },
    /// A request was answered.
    Request(RequestRecord),
}

/// One request and its answer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RequestRecord {
    /// The client.
    pub client: SocketAddr,
    /// How many certificates the client presented.
    pub certificates: usize,
    /// The method as sent.
    pub method: String,
    /// Path and query as sent.
    pub target: String,
    /// The target group that the path belongs to, if any.
    pub target_group: Option<String>,
    /// The answer's status.
    pub status: u16,
    /// Why the load balancer answered by itself; none when the target answered.
    pub problem: Option<String>,
    /// From the request's head to its answer.
    pub duration: Duration,
}
