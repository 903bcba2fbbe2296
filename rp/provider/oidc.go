package provider

import (
	"golang.org/x/oauth2"

	"github.com/dilys-id/dilys/identity"
)

// openID is any other OpenID provider: what its acr is worth, the operator says.
type openID struct{ worth map[string]identity.Trust }

// ask adds to a fresh login that its time must be told: auth_time is only sure to
// be there when max_age was sent (OpenID Connect Core §2, §3.1.2.1).
func (openID) ask(d Departure) []oauth2.AuthCodeOption {
	if !d.Fresh {
		return nil
	}
	return []oauth2.AuthCodeOption{oauth2.SetAuthURLParam("max_age", "0")}
}

// strength takes an acr that is listed. Without a list nothing is known but that
// the patient has a login there.
func (k openID) strength(idToken claims, _ []identity.Trust) (identity.Trust, *Refusal) {
	if len(k.worth) == 0 {
		return identity.Trust{P: identity.P0, C: identity.Cp}, nil
	}
	acr, there := idToken.text("acr")
	if !there {
		return identity.Trust{}, refuse(Unproved, causeNoACR)
	}
	t, listed := k.worth[acr]
	if !listed {
		return identity.Trust{}, refuse(Unproved, causeACR)
	}
	return t, nil
}

// level is what was reached: such a provider names no other.
func (openID) level(_, _ claims, reached identity.Trust) (identity.Proofing, *Refusal) {
	return reached.P, nil
}
