package exampleportal

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/dilys-id/dilys/identity"
)

// table is what one source told, for people.
type table struct {
	Name  string // in the page's own address
	Title string
	About string
	Rows  []claimRow
}

type claimRow struct{ Claim, Value, Meaning string }

// Parts is the claim's name where a narrow screen may break it.
func (r claimRow) Parts() []string { return strings.SplitAfter(r.Claim, "_") }

// tables shows everything that a session learned.
func (s session) tables() []table {
	acr, err := identity.ParseTrust(text(s.claims["acr"]))
	proved := err == nil && acr.P == identity.P9
	return []table{
		{
			"id-token", "ID token",
			"Says who logged in, how and when. It is for this portal alone, was verified, and lives for minutes: the portal’s own session takes over from it.",
			explain(s.claims, proved),
		},
		{
			"access-token", "Access token",
			"Opens userinfo, and the portal’s own API if it has one. It is read here only to show it: a portal passes it on unread, and an API verifies signature, typ at+jwt, iss, aud and exp.",
			explain(s.access, proved),
		},
		{
			"userinfo", "Userinfo",
			"Personal details, by scope. No token carries them, so that none is left behind in a log or an address.",
			explain(s.userInfo, proved),
		},
	}
}

// word is what a claim means.
type word struct{ claim, meaning string }

// words are in the order of their rows.
var words = []word{
	{"iss", "who says so: this very issuer, letter by letter"},
	{"sub", "the patient’s account, a random id that is never used again. With iss, the key to keep a patient’s data under"},
	{"aud", "who it is for. Anybody else refuses it"},
	{"client_id", "the portal that it was given to"},
	{"scope", "what it opens"},
	{"acr", "the trust reached: how sure Dilys is of the person, and how they proved themselves"},
	{"vot", "the same, by its name in RFC 8485"},
	{"vtm", "where it is written what the letters mean"},
	{"identity_proofing_level", "the highest level that the account has ever reached; this login may be lower"},
	{"amr", "the methods used (RFC 8176)"},
	{"auth_time", "when the patient last proved themselves by their own act. Compare with max_age"},
	{"idp", "the provider that proved the patient in this session"},
	{"sid", "the session’s handle, the same from login to logout: a message that it ended will name it"},
	{"session_ends", "when the session is over, whatever the patient does. Keep nobody logged in for longer"},
	{"session_idle_ends", "when it is over if the patient does nothing. Warn in time; prompt=none learns of a later end"},
	{"nonce", "the value this login began with: the token belongs to it"},
	{"at_hash", "ties the access token to this ID token"},
	{"iat", "when it was made"},
	{"nbf", "not good before"},
	{"exp", "not good from then on. Short, as the session may end at any time"},
	{"jti", "its own name"},
	{"name", "names as the provider gave them. For people to read, never to tell people apart"},
	{"given_name", "given names. Some people have none"},
	{"family_name", "family name"},
	{"birthdate", "date of birth"},
	{"locale", "the language that the patient reads here"},
	{"email", "e-mail address. It changes, and households share one: never a key"},
	{"email_verified", "whether somebody proved that it is theirs"},
	{"phone_number", "phone number. It changes hands: never a key"},
	{"phone_number_verified", "whether somebody proved that it is theirs"},
	{"nhs_number", "NHS number. Proved only where this login’s acr is P9. At P5 it is a claim: do not rely on it, and do not show it to the patient"},
}

// instants are the claims that are seconds since 1970 (NumericDate, RFC 7519 §2).
var instants = []string{"auth_time", "session_ends", "session_idle_ends", "iat", "nbf", "exp"}

// withheld stands in place of an NHS number that is only claimed: shown to the
// wrong person, it would tell them somebody else's.
const withheld = "not shown, as it is not proved"

// explain puts claims into rows: those we have words for in their order, then the
// others by name. proved says that this login proved the patient's identity.
func explain(c claims, proved bool) []claimRow {
	var rows []claimRow
	known := map[string]bool{}
	for _, w := range words {
		known[w.claim] = true
		raw, ok := c[w.claim]
		if !ok {
			continue
		}
		value := show(w.claim, raw)
		if w.claim == "nhs_number" && !proved {
			value = withheld
		}
		rows = append(rows, claimRow{w.claim, value, meaning(w, raw)})
	}
	var others []string
	for name := range c {
		if !known[name] {
			others = append(others, name)
		}
	}
	slices.Sort(others)
	for _, name := range others {
		rows = append(rows, claimRow{name, show(name, c[name]), "not promised by Dilys: pass over what you do not know"})
	}
	return rows
}

// meaning adds to a word what this very value means.
func meaning(w word, raw json.RawMessage) string {
	var more string
	switch w.claim {
	case "acr", "vot":
		more = vectorWords(text(raw))
	case "identity_proofing_level":
		more = proofWords[text(raw)]
	case "amr":
		var methods []string
		_ = json.Unmarshal(raw, &methods) // not a list: no more words
		more = methodsInWords(methods)
	}
	if more == "" {
		return w.meaning
	}
	return w.meaning + ". Here: " + more
}

var proofWords = map[string]string{
	identity.P0.String(): "contact details proved",
	identity.P5.String(): "details matched to the health service’s register",
	identity.P9.String(): "identity proved by photo ID or its like",
}

var credentialWords = []struct {
	part identity.Credential
	text string
}{
	{identity.Cp, "a password"},
	{identity.Cd, "a code sent to a registered phone, a printed code, or a browser that was remembered"},
	{identity.Ck, "a code from an app"},
	{identity.Cm, "a passkey"},
}

// vectorWords says what a vector of trust means; nothing for what is none.
func vectorWords(vector string) string {
	t, err := identity.ParseTrust(vector)
	if err != nil {
		return ""
	}
	var parts []string
	for _, c := range credentialWords {
		if t.C.Has(c.part) {
			parts = append(parts, c.text)
		}
	}
	return proofWords[t.P.String()] + "; logged in by " + strings.Join(parts, " and ")
}

var methodWords = map[string]string{
	"pwd": "password", "otp": "one-time code", "sms": "code by text message", "hwk": "key in a device", "swk": "key in software",
	"mfa": "more than one factor", "user": "presence", "pin": "PIN", "fpt": "fingerprint", "face": "face", "kba": "knowledge",
	"fed": "by a provider",
}

func methodsInWords(methods []string) string {
	var out []string
	for _, m := range methods {
		if words, ok := methodWords[m]; ok {
			out = append(out, m+" is "+words)
		}
	}
	return strings.Join(out, ", ")
}

// show writes a value for people.
func show(claim string, raw json.RawMessage) string {
	if t, ok := instant(raw); ok && slices.Contains(instants, claim) {
		return fmt.Sprintf("%s (%s)", raw, t.Format("2 January 2006 at 15:04:05 MST"))
	}
	var list []string
	if json.Unmarshal(raw, &list) == nil && len(list) > 0 {
		return strings.Join(list, ", ")
	}
	if s := text(raw); s != "" {
		return s
	}
	var compact bytes.Buffer
	if json.Compact(&compact, raw) != nil {
		return string(raw)
	}
	return compact.String()
}

func text(raw json.RawMessage) string {
	var s string
	_ = json.Unmarshal(raw, &s) // not a string: none
	return s
}

// instant reads a NumericDate.
func instant(raw json.RawMessage) (time.Time, bool) {
	var seconds float64
	if json.Unmarshal(raw, &seconds) != nil || seconds <= 0 {
		return time.Time{}, false
	}
	return time.Unix(int64(seconds), 0).UTC(), true
}

// readUnverified returns what a JWT says, to be shown and for nothing else; nil
// when the token is none.
func readUnverified(token string) claims {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return nil
	}
	body, err := base64.RawURLEncoding.DecodeString(parts[1])
	var c claims
	if err != nil || json.Unmarshal(body, &c) != nil {
		return nil
	}
	return c
}
