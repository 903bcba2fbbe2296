package provider

import (
	"encoding/json"

	"golang.org/x/oauth2"

	"github.com/dilys-id/dilys/identity"
)

// nhsLogin is what NHS login's Interface Specification – Federation adds to
// OpenID Connect.
type nhsLogin struct{}

// ask names the vectors as a JSON array, each a string (§5.1.3), and passes on
// what the NHS App asserted.
func (nhsLogin) ask(d Departure) []oauth2.AuthCodeOption {
	vtr, _ := json.Marshal(d.asked) // vectors are texts: it cannot fail
	ask := []oauth2.AuthCodeOption{oauth2.SetAuthURLParam("vtr", string(vtr))}
	if d.AssertedLoginIdentity != "" {
		ask = append(ask, oauth2.SetAuthURLParam("asserted_login_identity", d.AssertedLoginIdentity.Reveal()))
	}
	return ask
}

// strength takes a vot that is one of those asked for, in its one spelling: what
// was not asked for was not agreed with NHS login, whatever it is worth.
func (nhsLogin) strength(idToken claims, asked []identity.Trust) (identity.Trust, *Refusal) {
	vot, there := idToken.text("vot")
	if !there || vot == "" {
		return identity.Trust{}, refuse(Unproved, causeNoVector)
	}
	for _, t := range asked {
		if t.String() == vot {
			return t, nil
		}
	}
	return identity.Trust{}, refuse(Unproved, causeVector)
}

// level takes the highest level held, which both documents may name. It must be
// known where the vector claims more than contact details, and be no lower.
func (nhsLogin) level(idToken, userinfo claims, reached identity.Trust) (identity.Proofing, *Refusal) {
	var held identity.Proofing
	known := false
	for _, c := range []claims{idToken, userinfo} {
		if !c.has(claimLevel) {
			continue
		}
		text, _ := c.text(claimLevel)
		said, err := identity.ParseProofing(text)
		switch {
		case err != nil:
			return 0, refuse(Unproved, causeOddLevel)
		case known && said != held:
			return 0, refuse(BadToken, causeDiffer)
		}
		held, known = said, true
	}
	switch {
	case !known && reached.P > identity.P0:
		return 0, refuse(Unproved, causeNoLevel)
	case reached.P > held:
		return 0, refuse(Unproved, causeAboveLevel)
	}
	return held, nil
}

// claimLevel is the claim that says the highest level of proof a patient holds.
const claimLevel = "identity_proofing_level"
