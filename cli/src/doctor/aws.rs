//! A deployed stack or load balancer, as the AWS command line describes it.

pub(super) mod described;
pub(super) mod live;
