package token

import (
	"slices"
	"time"

	"github.com/dilys-id/dilys/identity"
)

const (
	// KeyLife is how long a signing key signs before the next one takes over.
	KeyLife = 180 * 24 * time.Hour
	// keyLead is how long a key is published before it signs: the 15 minutes that
	// a portal may keep its copy of the set, and 5 more for a replica that has not
	// refreshed its own yet.
	keyLead = JWKSMaxAge + 5*time.Minute
	// keyKept is how long a key is published after the next one took over. Tokens
	// live 3 minutes; an ID token comes back as a hint (OpenID Connect RP-Initiated
	// Logout §2) for as long as the longest session.
	keyKept = 24 * time.Hour
	// JWKSMaxAge is how long others may keep a copy of our key set (the max-age to
	// send with it).
	JWKSMaxAge = 15 * time.Minute
)

// Key is one of our signing keys, as it is kept. It never changes: what it does at
// an instant follows from the keys around it.
type Key struct {
	Alg Alg // ES256 or RS256
	// Seq counts the keys of one Alg, upwards; (Alg, Seq) is unique, so that of
	// replicas that rotate at once one alone succeeds.
	Seq       int
	ID        string          // the kid: the public key's SHA-256 thumbprint (RFC 7638), base64url
	PKCS8     identity.Secret // the private key, PKCS #8 in DER; sealed wherever it is stored
	Published time.Time       // from here it is in the key set
	Active    time.Time       // from here it signs, until a later key does
}

// Rota is what the keys of one algorithm do at one instant.
type Rota struct {
	Publish []Key // in the key set, oldest first
	Drop    []Key // no living token is signed by these
	// Due says that another key is to be made, with the Alg, Seq, Published and
	// Active of Next.
	Due  bool
	Next Key
}

// Plan says what the keys of alg do at now, when each signs for life. Pure: the
// same keys and instant give the same rota in every replica. Keys of other
// algorithms are left alone.
func Plan(all []Key, alg Alg, now time.Time, life time.Duration) Rota {
	keys := slices.DeleteFunc(slices.Clone(all), func(k Key) bool { return k.Alg != alg })
	slices.SortFunc(keys, func(a, b Key) int { return a.Seq - b.Seq })
	if len(keys) == 0 {
		// Nobody holds a copy of a set without keys: the first signs at once.
		return Rota{Due: true, Next: Key{Alg: alg, Seq: 1, Published: now, Active: now}}
	}
	newest := keys[len(keys)-1]
	rota := Rota{
		Due:  !now.Before(newest.Active.Add(life - keyLead)),
		Next: Key{Alg: alg, Seq: newest.Seq + 1, Published: now, Active: now.Add(keyLead)},
	}
	for i, key := range keys {
		if retired(keys[i+1:], now) {
			rota.Drop = append(rota.Drop, key)
		} else {
			rota.Publish = append(rota.Publish, key)
		}
	}
	return rota
}

// retired reports whether one of the later keys took over long enough ago.
func retired(later []Key, now time.Time) bool {
	return slices.ContainsFunc(later, func(k Key) bool { return !now.Before(k.Active.Add(keyKept)) })
}

// signing returns the index of the key of alg that signs at now, among keys in
// rising Seq: the newest that is active, or the oldest when none is (a clock set
// back must not stop the service); -1 if there is no key of alg.
func signing(keys []Key, alg Alg, now time.Time) int {
	found := -1
	for i, key := range keys {
		if key.Alg == alg && (found < 0 || !now.Before(key.Active)) {
			found = i
		}
	}
	return found
}
