package identity

import (
	"slices"
	"time"
)

// Answer is what a provider said of the person who came back from it, translated
// into our words at the border (rp/provider) after every check there.
type Answer struct {
	Provider string // id in the configuration
	Issuer   string // iss, exactly
	Subject  string // sub: unique at Issuer, case-sensitive, never reassigned
	Trust    Trust  // the vector reached, in our letters
	Level    Proofing
	AuthTime time.Time // the provider's own auth_time; zero where it gave none
	TokenID  string    // jti of the ID token, which NHS login asks for again as `code` of an asserted login identity
	Details  Details
}

// Proof is the part of an [Answer] that a session keeps: no details, nothing that
// names the person.
type Proof struct {
	Provider string    `json:"provider"`
	Trust    Trust     `json:"trust"`
	Level    Proofing  `json:"level"`
	AuthTime time.Time `json:"auth_time,omitzero"`
	At       time.Time `json:"at"`
	TokenID  string    `json:"token_id,omitempty"`
}

// Proof returns what a session keeps of the answer accepted at that instant.
func (a Answer) Proof(at time.Time) Proof {
	return Proof{a.Provider, a.Trust, a.Level, a.AuthTime, at, a.TokenID}
}

// Evidence is all that a session's trust is judged by. It grows by a field for
// each way to prove oneself; a way that was not used is its zero value.
type Evidence struct {
	Provider Proof `json:"provider,omitzero"` // the provider's answer that opened or last raised the session
	Own      Own   `json:"own,omitzero"`      // what the patient proved to ourselves
}

// Basis is what the level of a patient who signed up here stands on.
type Basis string

// The bases, weakest first.
const (
	BasisContacts   Basis = "contacts"   // P0: a contact was proved, nothing more
	BasisRegister   Basis = "register"   // P5: details match the register, and a proved contact stands on that entry alone
	BasisActivation Basis = "activation" // P5: a code that the practice gave to this patient
	BasisLinkage    Basis = "linkage"    // P5: the GP linkage details that the practice gave to this patient
	BasisDocuments  Basis = "documents"  // P9: documents that two members of staff saw with the person
)

// Means is how the possession part (Cd) was proved.
type Means string

// The means.
const (
	MeansText    Means = "texted-code"        // a code to the registered phone
	MeansCard    Means = "printed-code"       // a one-time code of the printed card
	MeansBrowser Means = "remembered-browser" // not an act of the patient: it makes nothing fresh
)

// Use is one factor proved in a session.
type Use struct {
	Level Proofing  `json:"level"` // what the factor carries: the level of the session in which it was bound
	At    time.Time `json:"at"`    // when the patient proved it; zero: it was not used
}

// Own is what a patient proved to ourselves in a session.
type Own struct {
	Level      Proofing `json:"level"` // that the account's own evidence holds
	Basis      Basis    `json:"basis"` // what that stands on
	Password   Use      `json:"password,omitzero"`
	Possession Use      `json:"possession,omitzero"`
	Means      Means    `json:"means,omitempty"` // of Possession
}

// IsZero reports whether nothing was proved to ourselves.
func (o Own) IsZero() bool { return o == Own{} }

// Raised returns what the session has once its account's evidence rose: the factors
// that opened it rise with it, as they were in the hand that brought the proof.
func (o Own) Raised(level Proofing, basis Basis) Own {
	o.Level, o.Basis = level, basis
	for _, use := range []*Use{&o.Password, &o.Possession} {
		if !use.At.IsZero() {
			use.Level = max(use.Level, level)
		}
	}
	return o
}

// At returns when the patient last proved anything: the login that opened the
// session or raised it.
func (e Evidence) At() time.Time {
	last := e.Provider.At
	for _, at := range []time.Time{e.Own.Password.At, e.Own.Possession.At} {
		if at.After(last) {
			last = at
		}
	}
	return last
}

// Reason says in one word why the assessment is as it is; pages and operators'
// answers put it into sentences.
type Reason string

// The reasons, each with the rule it comes from (contract: Trust).
const (
	ReasonNoEvidence       Reason = "no-evidence"            // nothing was proved
	ReasonProviderP0       Reason = "provider-p0"            // the provider proved contact details only
	ReasonProviderP5       Reason = "provider-p5"            // the provider matched details, without seeing the person
	ReasonProviderP9       Reason = "provider-p9"            // the provider saw photo ID or its like
	ReasonPassword         Reason = "password"               // Cp was used
	ReasonCode             Reason = "code"                   // Cd was used: a code or a remembered browser
	ReasonSharedKey        Reason = "shared-key"             // Ck was used
	ReasonPasskey          Reason = "passkey"                // Cm was used
	ReasonLevelAbove       Reason = "level-above-session"    // the provider holds a higher level than this login reached
	ReasonFreshnessUnknown Reason = "auth-time-not-provided" // the provider did not say when the patient last proved themselves
	ReasonOwnP0            Reason = "own-p0"                 // contacts were proved, and nothing more
	ReasonOwnRegister      Reason = "own-p5-contact"         // details match the register, and so does a contact
	ReasonOwnActivation    Reason = "own-p5-activation"      // a code, or linkage details, that the practice gave
	ReasonOwnDocuments     Reason = "own-p9-documents"       // staff saw documents and the person
	ReasonFactorBelow      Reason = "factor-below-account"   // a factor was bound before the account's evidence rose
	ReasonText             Reason = "texted-code"            // Cd by a code to the phone
	ReasonCard             Reason = "printed-code"           // Cd by a printed code
	ReasonBrowser          Reason = "remembered-browser"     // Cd by a browser that the patient let us remember
)

// Assessment is the judgement over evidence at an instant, in the words of the
// tokens that carry it.
type Assessment struct {
	Trust    Trust     // acr, vot: what this session reached
	Level    Proofing  // identity_proofing_level: the highest the account holds
	AuthTime time.Time // auth_time; zero: unproved, and no max_age can be met
	AMR      []string  // RFC 8176 methods
	Provider string    // idp: the provider that proved the patient in this session
	Until    time.Time // the instant at which this judgement changes by itself; zero: never
	Reasons  []Reason
}

// Assess judges evidence. It is the one place that decides how sure we are, and
// it is pure: the same evidence gives the same vector on every replica.
//
// A provider's answer stands as it was checked: its vector was one that had been
// asked for, and its P no higher than the level it holds. A P above the level is
// a fault of the evidence and is lowered to it: fail closed.
func Assess(e Evidence) Assessment {
	switch {
	case e.Provider.Provider != "":
		return e.Provider.assess()
	case !e.Own.Password.At.IsZero():
		return e.Own.assess()
	}
	return Assessment{Reasons: []Reason{ReasonNoEvidence}}
}

func (p Proof) assess() Assessment {
	a := Assessment{
		Trust:    Trust{min(p.Trust.P, p.Level), p.Trust.C},
		Level:    p.Level,
		AuthTime: p.AuthTime,
		Provider: p.Provider,
	}
	a.Reasons = append(a.Reasons, proofingReason(a.Trust.P))
	if p.Level > a.Trust.P {
		a.Reasons = append(a.Reasons, ReasonLevelAbove)
	}
	for _, m := range methods {
		if a.Trust.C.Has(m.c) {
			a.Reasons = append(a.Reasons, m.reason)
			a.AMR = append(a.AMR, m.amr)
		}
	}
	if len(a.AMR) > 1 {
		a.AMR = append(a.AMR, "mfa") // RFC 8176 §2: more than one method, beside each of them
	}
	if p.AuthTime.IsZero() {
		a.Reasons = append(a.Reasons, ReasonFreshnessUnknown)
	}
	return a
}

// assess judges what was proved to ourselves: P is the lowest of what the account
// holds and what each factor used carries, so that a factor planted early never
// grows by itself.
func (o Own) assess() Assessment {
	a := Assessment{Trust: Trust{min(o.Level, o.Password.Level), Cp}, Level: o.Level, AuthTime: o.Password.At, AMR: []string{"pwd"}}
	means, used := meansOf[o.Means]
	used = used && !o.Possession.At.IsZero()
	if used {
		a.Trust.P = min(a.Trust.P, o.Possession.Level)
		a.Trust.C |= Cd
		if o.Means != MeansBrowser {
			a.AuthTime = o.Possession.At
			a.AMR = append(a.AMR, means.amr)
		}
		a.AMR = append(a.AMR, "mfa")
	}
	a.Reasons = append(a.Reasons, basisReasons[o.Basis])
	if o.Level > a.Trust.P {
		a.Reasons = append(a.Reasons, ReasonFactorBelow)
	}
	a.Reasons = append(a.Reasons, ReasonPassword)
	if used {
		a.Reasons = append(a.Reasons, means.reason)
	}
	return a
}

// meansOf says for each means its reason and its method value of RFC 8176 §2. A
// remembered browser has none: nothing was asked of the patient.
var meansOf = map[Means]struct {
	reason Reason
	amr    string
}{
	MeansText:    {ReasonText, "sms"},
	MeansCard:    {ReasonCard, "otp"},
	MeansBrowser: {ReasonBrowser, ""},
}

var basisReasons = map[Basis]Reason{
	BasisContacts: ReasonOwnP0, BasisRegister: ReasonOwnRegister, BasisActivation: ReasonOwnActivation,
	BasisLinkage: ReasonOwnActivation, BasisDocuments: ReasonOwnDocuments, "": ReasonOwnP0,
}

// methods says for each credential component its reason and its method value of
// RFC 8176 §2. Cd may be a code by text or a remembered browser: "otp" is the
// nearest registered value that does not claim a text was sent.
var methods = []struct {
	c      Credential
	reason Reason
	amr    string
}{
	{Cp, ReasonPassword, "pwd"},
	{Cd, ReasonCode, "otp"},
	{Ck, ReasonSharedKey, "swk"},
	{Cm, ReasonPasskey, "pop"},
}

func proofingReason(p Proofing) Reason {
	switch p {
	case P9:
		return ReasonProviderP9
	case P5:
		return ReasonProviderP5
	}
	return ReasonProviderP0
}

// Fresh reports whether the patient proved themselves within maxAge before now.
// An unknown time is never fresh, and neither is one that lies more than skew
// ahead of our clock.
func (a Assessment) Fresh(maxAge time.Duration, now time.Time) bool {
	return a.asked() &&
		now.Sub(a.AuthTime) <= maxAge &&
		a.AuthTime.Sub(now) <= Skew
}

// Since reports whether the patient proved themselves at or after that instant,
// as `prompt=login` asks (OpenID Connect Core §3.1.2.1). Sources count in whole
// seconds, so the second in which the request came is soon enough.
func (a Assessment) Since(at time.Time) bool {
	return a.asked() && !a.AuthTime.Before(at.Truncate(time.Second))
}

// asked reports whether the patient was asked for all that the vector says, at a
// known time: a remembered browser stands in for a code, and answers no wish for a
// fresh one.
func (a Assessment) asked() bool {
	return !a.AuthTime.IsZero() && !slices.Contains(a.Reasons, ReasonBrowser)
}

// Skew is how far two honest clocks may differ.
const Skew = 60 * time.Second
