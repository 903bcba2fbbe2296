// Package courier owns the words of every message to a patient, in English and
// Welsh, and the way to who carries it: GOV.UK Notify ([Notify]) and any mail
// server ([SMTP]). It turns an [outbox.Message] into one SMS segment or one plain
// email.
//
// It never decides whether or when a message leaves (package outbox), and never
// sees a request: a link is made of the public URL it was given, never of a Host
// header. No value that a person typed stands in a message, but the address that
// logs in, in the reminder that asks for it. Nothing that a vendor sent stands in
// a cause, an error or a log.
//
// At Notify each channel needs one template. Its whole body is ((body)), its
// subject ((subject)). "Start text messages with service name" must be switched
// off there: it would stand before the code and cost septets that are spent here.
package courier
