//! A [`Clock`]'s time in Kubernetes' type.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use podsim_sys::Clock;

/// The real time of a clock.
#[must_use]
pub fn timestamp(clock: &dyn Clock) -> Timestamp {
    let nanos = i128::try_from(clock.realtime().as_nanos()).unwrap_or(i128::MAX);
    Timestamp::from_nanosecond(nanos).unwrap_or(Timestamp::MAX)
}

/// The real time of a clock in whole seconds, as the API shows times.
#[must_use]
pub fn now(clock: &dyn Clock) -> Time {
    Time(whole_seconds(timestamp(clock)))
}

/// Cuts off the fraction, as `metav1.Time` does when it is written.
#[must_use]
pub fn whole_seconds(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second()).unwrap_or(time)
}
