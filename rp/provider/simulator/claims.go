package simulator

import (
	"crypto/sha256"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/dilys-id/dilys/identity"
)

// login is one authentication of a patient for a client, as it stood at that
// moment: what changes later is told at the next one.
type login struct {
	id       string // family of everything issued from it
	clientID string
	patient  Patient
	vot      identity.Trust
	authTime time.Time
	nonce    string
	faults   Faults // this login's own; others stand behind it
}

// scopeRow says what a scope tells, and from which level on: the table "scopes and
// claims" of the documentation. Claims without a value are left out, never null.
type scopeRow struct {
	scope string
	floor identity.Proofing
	tell  func(Patient) map[string]any
}

var scopeTable = []scopeRow{
	{"openid", identity.P0, func(Patient) map[string]any { return nil }},
	{"profile", identity.P5, func(p Patient) map[string]any {
		return map[string]any{
			"nhs_number": p.NHSNumber, "family_name": p.FamilyName, "birthdate": p.Birthdate,
			"identity_proofing_level": p.Level.String(),
		}
	}},
	{"basic_demographics", identity.P5, func(p Patient) map[string]any {
		return map[string]any{
			"family_name": p.FamilyName, "birthdate": p.Birthdate, "identity_proofing_level": p.Level.String(),
		}
	}},
	{"profile_extended", identity.P5, func(p Patient) map[string]any {
		return map[string]any{"given_name": p.GivenName}
	}},
	{"email", identity.P0, func(p Patient) map[string]any {
		return beside(p.Email, map[string]any{"email": p.Email, "email_verified": !p.EmailUnverified})
	}},
	{"phone", identity.P0, func(p Patient) map[string]any {
		return beside(p.Phone, map[string]any{
			"phone_number": p.Phone, "phone_number_verified": true, "phone_number_pds_matched": !p.PhoneUnmatched,
		})
	}},
	{"landline", identity.P0, func(p Patient) map[string]any {
		return beside(p.Landline, map[string]any{"landline_number": p.Landline, "landline_number_verified": true})
	}},
	{"gp_registration_details", identity.P5, func(p Patient) map[string]any {
		return beside(p.GP, map[string]any{"gp_registration_details": map[string]any{"gp_ods_code": p.GP}})
	}},
	{"gp_integration_credentials", identity.P9, func(p Patient) map[string]any {
		return beside(p.GPUserID, map[string]any{"gp_integration_credentials": map[string]any{
			"gp_user_id": p.GPUserID, "gp_linkage_key": p.GPLinkageKey, "gp_ods_code": p.GP,
		}})
	}},
	{"client_metadata", identity.P0, func(p Patient) map[string]any {
		sum := sha256.Sum256([]byte("client metadata of " + p.Subject))
		return map[string]any{"client_user_metadata": b64(sum[:16])}
	}},
}

// beside returns the claims when the value they speak of is there.
func beside(v string, claims map[string]any) map[string]any {
	if v == "" {
		return nil
	}
	return claims
}

func knownScopes() []string {
	out := make([]string, len(scopeTable))
	for i, row := range scopeTable {
		out[i] = row.scope
	}
	return out
}

// scoped returns the claims of the scopes at the level this login reached.
func (l login) scoped(scope []string) map[string]any {
	out := map[string]any{}
	for _, row := range scopeTable {
		if l.vot.P >= row.floor && slices.Contains(scope, row.scope) {
			maps.Copy(out, row.tell(l.patient))
		}
	}
	maps.DeleteFunc(out, func(_ string, v any) bool { return v == "" })
	return out
}

// idTokenNames are the scoped claims that stand in the ID token as well (table 16).
var idTokenNames = []string{"family_name", "birthdate", "nhs_number", "identity_proofing_level"}

// idTokenClaims are the claims of table 16. aud is a plain string; acr, amr and
// azp are not supported; a nonce is there only if one came.
func (l login) idTokenClaims(issuer, jti string, scope []string, now time.Time) map[string]any {
	claims := l.scoped(scope)
	maps.DeleteFunc(claims, func(name string, _ any) bool { return !slices.Contains(idTokenNames, name) })
	maps.Copy(claims, l.patient.Extra)
	maps.Copy(claims, map[string]any{
		"iss": issuer, "sub": l.patient.Subject, "aud": l.clientID,
		"iat": now.Unix(), "exp": now.Add(idTokenLife).Unix(), "jti": jti,
		"vot": l.vot.String(), "vtm": trustmark(issuer), "auth_time": l.authTime.Unix(),
	})
	if l.nonce != "" {
		claims["nonce"] = l.nonce
	}
	return claims
}

// accessTokenClaims are the claims of table 17.
func (l login) accessTokenClaims(issuer string, scope []string, now time.Time) map[string]any {
	claims := map[string]any{
		"iss": issuer, "sub": l.patient.Subject, "aud": l.clientID,
		"iat": now.Unix(), "exp": now.Add(accessLife).Unix(), "jti": newName(),
		"scope": strings.Join(scope, " "), "vot": l.vot.String(), "vtm": trustmark(issuer),
		"reason_for_request": "patientaccess",
	}
	if number := l.scoped(scope)["nhs_number"]; number != nil {
		claims["nhs_number"], claims["requesting_patient"] = number, number
	}
	return claims
}

// userinfo are the claims of the userinfo answer; iss and aud stand beside sub.
func (l login) userinfo(issuer string, scope []string) map[string]any {
	claims := l.scoped(scope)
	maps.Copy(claims, l.patient.Extra)
	maps.Copy(claims, map[string]any{"iss": issuer, "aud": l.clientID, "sub": l.patient.Subject})
	return claims
}

// trustmark is the address of the trust framework: {issuer}/trustmark/{host}.
func trustmark(issuer string) string {
	host := ""
	if u, err := url.Parse(issuer); err == nil {
		host = u.Host
	}
	return strings.TrimRight(issuer, "/") + "/trustmark/" + host
}
