//! Requests to the kernel about interfaces, addresses and routes (`rtnetlink(7)`).
