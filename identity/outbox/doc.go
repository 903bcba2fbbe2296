// Package outbox owns what must leave the service: messages to patients, put down
// in the same transaction as the act they speak of, sealed until they are sent,
// and wiped then or when their time is over. It decides when each is tried, when
// it is given up, and when a whole channel is off.
//
// It never words a message and never speaks to a vendor: both are the [Courier]'s.
// It judges no code or link that a message carries; it only sees to it that none
// is sent once it is dead.
//
// Three rules hold whatever fails. What was rolled back was never sent. Nothing is
// sent twice: before a message is sent again whose first sending ended without an
// answer, the courier is asked for it by name, and while the courier can't tell,
// it waits. Nothing is sent after its time, or after a later message of its thread
// took its place.
package outbox
