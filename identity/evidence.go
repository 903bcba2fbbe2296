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
	Provider Proof  `json:"provider,omitzero"` // the provider's answer that opened or last raised the session
	Own      Own    `json:"own,omitzero"`      // what the patient proved to ourselves
	Frozen   Freeze `json:"frozen,omitempty"`  // why the account speaks for no record now; empty: it does
}

// Freeze is why an account speaks for no record: whoever logs in to it, and however,
// is P0 until people have looked at it. Log-in and account stay.
type Freeze string

// The causes of a freeze.
const (
	FrozenNotMyNumber Freeze = "not-my-number"            // the patient says that the NHS number is not theirs
	FrozenNotMyRecord Freeze = "not-my-record"            // the patient says that what a portal showed is not theirs
	FrozenDied        Freeze = "entry-died"               // the register says so of the number
	FrozenInvalidated Freeze = "entry-invalidated"        // the number is nobody's by now
	FrozenOther       Freeze = "entry-of-another"         // another birth date stands under the number by now
	FrozenTaken       Freeze = "number-proved-by-another" // the number that took its place is another account's
)

// Basis is what the level of a patient who signed up here stands on.
type Basis string

// The bases, weakest first.
const (
	BasisContacts   Basis = "contacts"   // P0: a contact was proved, nothing more
	BasisRegister   Basis = "register"   // P5: details match the register, and a proved contact stands on that entry alone
	BasisActivation Basis = "activation" // P5: a code that the practice gave to this patient
	BasisLinkage    Basis = "linkage"    // P5: the GP linkage details that the practice gave to this patient
	BasisDocuments  Basis = "documents"  // P9: documents that two members of staff saw with the person
	BasisProvider   Basis = "provider"   // what a linked provider proved at its last login there
)

// Means is how the possession part (Cd, Ck) was proved.
type Means string

// The means.
const (
	MeansText    Means = "texted-code"        // a code to the registered phone
	MeansCard    Means = "printed-code"       // a one-time code of the printed card
	MeansBrowser Means = "remembered-browser" // not an act of the patient: it makes nothing fresh
	MeansTOTP    Means = "totp"               // a code of an authenticator app (Ck)

	// A code with which people let a patient back in who lost every other way. It is
	// no letter of the vector, and what it opens is P0.
	MeansRecovery Means = "recovery-code"
)

// Use is one factor proved in a session.
type Use struct {
	Level Proofing  `json:"level"` // what the factor carries: the level of the session in which it was bound
	At    time.Time `json:"at"`    // when the patient proved it; zero: it was not used

	// Held is until when the factor carries nothing, as it was bound after a
	// recovery; zero: it is not held.
	Held time.Time `json:"held,omitzero"`
}

// carries returns the level that the factor carries at that instant.
func (u Use) carries(now time.Time) Proofing {
	if now.Before(u.Held) {
		return P0
	}
	return u.Level
}

// Own is what a patient proved to ourselves in a session.
type Own struct {
	Level      Proofing  `json:"level"`           // that the account's evidence holds
	Basis      Basis     `json:"basis"`           // what that stands on
	Lapses     time.Time `json:"lapses,omitzero"` // when Level serves own factors no longer; zero: it always does
	Password   Use       `json:"password,omitzero"`
	Possession Use       `json:"possession,omitzero"`
	Means      Means     `json:"means,omitempty"` // of Possession
	Passkey    Use       `json:"passkey,omitzero"`
}

// holds returns the level that own factors may reach at that instant.
func (o Own) holds(now time.Time) Proofing {
	if !o.Lapses.IsZero() && !now.Before(o.Lapses) {
		return P0
	}
	return o.Level
}

// IsZero reports whether nothing was proved to ourselves.
func (o Own) IsZero() bool { return o == Own{} }

// Raised returns what the session has once its account's evidence rose: the factors
// that opened it rise with it, as they were in the hand that brought the proof.
func (o Own) Raised(level Proofing, basis Basis) Own {
	o.Level, o.Basis = level, basis
	for _, use := range []*Use{&o.Password, &o.Possession, &o.Passkey} {
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
	for _, at := range []time.Time{e.Own.Password.At, e.Own.Possession.At, e.Own.Passkey.At} {
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
	ReasonRecovered        Reason = "recovery-code"          // people let the patient back in: nothing more is proved by it
	ReasonFactorHeld       Reason = "factor-held"            // a factor was bound after a recovery, and carries nothing yet
	ReasonProviderLapsed   Reason = "provider-lapsed"        // the provider's proof is too old for own factors
	ReasonFrozen           Reason = "record-frozen"          // the account speaks for no record until people have looked
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

// Assess judges evidence at an instant. It is the one place that decides how sure
// we are, and it is pure: the same evidence gives the same vector on every replica.
//
// Each way in which the evidence can be read is judged by itself, and the surest
// reading counts: no factor lends its level to another.
//
// A provider's answer stands as it was checked: its vector was one that had been
// asked for, and its P no higher than the level it holds. A P above the level is
// a fault of the evidence and is lowered to it: fail closed.
func Assess(e Evidence, now time.Time) Assessment {
	best := Assessment{Reasons: []Reason{ReasonNoEvidence}}
	for _, a := range e.readings(now) {
		if a.surer(best) {
			best = a
		}
	}
	best.Level = max(e.Provider.Level, best.Level)
	best.Provider = e.Provider.Provider
	best.Until = e.changes(now)
	if e.Frozen != "" {
		best.Trust.P, best.Level = P0, P0
		best.Reasons = append([]Reason{ReasonFrozen}, best.Reasons...)
	}
	return best
}

// readings returns each vector that the evidence stands for.
func (e Evidence) readings(now time.Time) []Assessment {
	var all []Assessment
	if e.Provider.Provider != "" {
		all = append(all, e.Provider.assess())
		if a, ok := e.besideProvider(now); ok {
			all = append(all, a)
		}
	}
	if !e.Own.Password.At.IsZero() {
		all = append(all, e.Own.byPassword(now))
	}
	if !e.Own.Passkey.At.IsZero() {
		all = append(all, e.Own.byPasskey(now))
	}
	return all
}

// surer reports whether a says more than b: a higher P, then stronger credentials,
// then the later proof.
func (a Assessment) surer(b Assessment) bool {
	switch {
	case b.Trust.C == 0 || a.Trust.P != b.Trust.P:
		return b.Trust.C == 0 || a.Trust.P > b.Trust.P
	case a.Trust.C != b.Trust.C && a.Trust.C.Satisfies(b.Trust.C):
		return true
	case a.Trust.C != b.Trust.C && b.Trust.C.Satisfies(a.Trust.C):
		return false
	}
	return a.AuthTime.After(b.AuthTime)
}

// changes returns the first instant from now on at which the judgement changes by
// itself, or zero.
func (e Evidence) changes(now time.Time) time.Time {
	var first time.Time
	for _, at := range []time.Time{e.Own.Lapses, e.Own.Password.Held, e.Own.Possession.Held, e.Own.Passkey.Held} {
		if at.After(now) && (first.IsZero() || at.Before(first)) {
			first = at
		}
	}
	return first
}

func (p Proof) assess() Assessment {
	a := Assessment{
		Trust:    Trust{min(p.Trust.P, p.Level), p.Trust.C},
		Level:    p.Level,
		AuthTime: p.AuthTime,
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

// besideProvider reads a possession of ours beside the password that a provider was
// given: what it proved stays, and the possession is fresh.
func (e Evidence) besideProvider(now time.Time) (Assessment, bool) {
	means := meansOf[e.Own.Means]
	if e.Own.Possession.At.IsZero() || means.amr == "" || !e.Provider.Trust.C.Has(Cp) {
		return Assessment{}, false
	}
	known := e.Provider
	known.Trust.C = Cp
	a := known.assess()
	a.Reasons = slices.DeleteFunc(a.Reasons, func(r Reason) bool { return r == ReasonFreshnessUnknown })
	a.possessing(e.Own, means, now)
	return a, true
}

// byPassword reads the password, and what was possessed beside it. P is the lowest
// of what the account holds and what each factor used carries, so that a factor
// planted early never grows by itself.
func (o Own) byPassword(now time.Time) Assessment {
	a := Assessment{Trust: Trust{min(o.holds(now), o.Password.carries(now)), Cp}, Level: o.holds(now), AuthTime: o.Password.At, AMR: []string{"pwd"}}
	means, used := meansOf[o.Means]
	used = used && !o.Possession.At.IsZero()
	a.Reasons = append(o.standing(now), ReasonPassword)
	if used {
		a.possessing(o, means, now)
	}
	return a.explained(o, now)
}

// byPasskey reads the passkey alone: with user verification it is both factors.
func (o Own) byPasskey(now time.Time) Assessment {
	a := Assessment{
		Trust: Trust{min(o.holds(now), o.Passkey.carries(now)), Cm}, Level: o.holds(now), AuthTime: o.Passkey.At, AMR: []string{"pop", "mfa"},
		Reasons: append(o.standing(now), ReasonPasskey),
	}
	return a.explained(o, now)
}

// possessing adds the possession part to what was read so far.
func (a *Assessment) possessing(o Own, m means, now time.Time) {
	a.Trust.P = min(a.Trust.P, o.Possession.carries(now))
	a.Trust.C |= m.part
	if m.amr != "" {
		a.AuthTime = o.Possession.At
		a.AMR = append(a.AMR, m.amr)
	}
	if m.part != 0 {
		a.AMR = append(a.AMR, "mfa")
	} else {
		a.Trust.P = P0
	}
	a.Reasons = append(a.Reasons, m.reason)
}

// standing says what the account's level stands on.
func (o Own) standing(now time.Time) []Reason {
	if o.Level > o.holds(now) {
		return []Reason{ReasonProviderLapsed}
	}
	if o.Basis == BasisProvider {
		return []Reason{proofingReason(o.Level)}
	}
	return []Reason{basisReasons[o.Basis]}
}

// explained says why the session reached less than the account holds: right after
// what the account's level stands on.
func (a Assessment) explained(o Own, now time.Time) Assessment {
	if a.Level <= a.Trust.P || o.Means == MeansRecovery && !o.Possession.At.IsZero() {
		return a
	}
	why := ReasonFactorBelow
	for _, use := range []Use{o.Password, o.Possession, o.Passkey} {
		if now.Before(use.Held) {
			why = ReasonFactorHeld
		}
	}
	a.Reasons = slices.Insert(a.Reasons, 1, why)
	return a
}

// means is what a way to prove possession stands for.
type means struct {
	part   Credential // its letter; none for a recovery
	reason Reason
	amr    string // method value of RFC 8176 §2
}

// meansOf says what each means stands for. A remembered browser has no method
// value: nothing was asked of the patient. Neither has a recovery: it proves no
// factor.
var meansOf = map[Means]means{
	MeansText:     {Cd, ReasonText, "sms"},
	MeansCard:     {Cd, ReasonCard, "otp"},
	MeansBrowser:  {Cd, ReasonBrowser, ""},
	MeansTOTP:     {Ck, ReasonSharedKey, "otp"},
	MeansRecovery: {0, ReasonRecovered, ""},
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
