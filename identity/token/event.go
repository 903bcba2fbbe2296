package token

import (
	"errors"
	"time"
)

// TypeEvent is the kind of a security event token (RFC 8417 §2.3).
const TypeEvent = "secevent+jwt"

// SecurityEvent is what a security event token says.
type SecurityEvent struct {
	Subject  string // the patient, as this portal knows them
	Audience string // aud: the portal's id
	Event    string // URI of what happened
	At       time.Time
	Details  map[string]any // of the event; may be nil
}

// eventWire is the claims as they stand in a security event token (RFC 8417 §2.2; the
// subject as RFC 9493 §3.2.3 has it). It has no exp and no sub, so that it can't be taken
// for another kind.
type eventWire struct {
	Issuer   string                    `json:"iss"`
	Audience string                    `json:"aud"`
	Issued   int64                     `json:"iat"`
	ID       string                    `json:"jti"`
	At       int64                     `json:"toe"`
	Subject  subjectID                 `json:"sub_id"`
	Events   map[string]map[string]any `json:"events"`
}

type subjectID struct {
	Format  string `json:"format"`
	Issuer  string `json:"iss"`
	Subject string `json:"sub"`
}

// SecurityEvent writes a security event token by alg, empty for ES256. id names it: one
// that is sent again has the same.
func (i *Issuer) SecurityEvent(alg Alg, id string, e SecurityEvent) (string, error) {
	if e.Subject == "" || e.Audience == "" || e.Event == "" || id == "" {
		return "", errors.New("security event token: wanted jti, subject, aud and event, got fewer")
	}
	details := map[string]any{"event_timestamp": e.At.Unix()}
	for name, v := range e.Details {
		details[name] = v
	}
	return i.ring.Sign(alg, TypeEvent, eventWire{
		Issuer: i.url, Audience: e.Audience, Issued: i.now().Unix(), ID: id, At: e.At.Unix(),
		Subject: subjectID{"iss_sub", i.url, e.Subject}, Events: map[string]map[string]any{e.Event: details},
	})
}
