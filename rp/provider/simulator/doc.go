// Package simulator owns a made-up NHS login: an OpenID provider that keeps NHS
// login's own interface specification, so that a client written for the real one
// logs in at it unchanged, and that can be told to lie in every way a provider
// can ([Faults], [Simulator.Presets]).
//
// It stands for a foreign party: it knows nothing of the service that logs in at
// it and imports none of its rooms but the ground floor's words. Its patients,
// their numbers, phones and addresses are made up. It belongs to development and
// tests, holds everything in memory, and is never linked into the service.
package simulator
