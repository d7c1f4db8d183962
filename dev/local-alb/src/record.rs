use std::net::SocketAddr;
use std::time::Duration;

/// Record of a connection, health check or request.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Record {
    /// A connection failed before there was a request: no handshake, or not HTTP.
    Connection {
        /// The client.
        client: SocketAddr,
        /// Error in words.
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

/// Request and its answer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RequestRecord {
    /// The client.
    pub client: SocketAddr,
    /// Number of certificates that the client presented.
    pub certificates: usize,
    /// The method as sent.
    pub method: String,
    /// Path and query as sent.
    pub target: String,
    /// The target group that the path belongs to, if any.
    pub target_group: Option<String>,
    /// The answer's status.
    pub status: u16,
    /// Reason why the load balancer answered by itself; `None` when the target answered.
    pub problem: Option<String>,
    /// From the request's head to its answer.
    pub duration: Duration,
}
