package service

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/token"
)

// Config is what an operator wrote, judged and typed. Every field is as the rooms
// need it; a Config that exists has no fault. Secrets come from files that it
// names, and are of a type that does not print.
type Config struct {
	PublicURL        string // scheme and host alone; the issuer of every token, exactly as written
	Listen           string // host:port
	OperationsListen string // host:port, loopback or private
	InsecureLoopback bool   // plain http: every address in here is loopback
	TrustedProxies   []netip.Prefix
	Database         string          // sqlite:PATH, absolute, or postgres://…, without password
	DatabasePassword identity.Secret // of PostgreSQL; empty: none
	Keys             string          // folder of the sealing keyset, absolute; it may not exist yet
	Languages        []string        // the first is the default
	Organisation     Organisation
	Notice           Notice
	Sessions         Sessions
	Courier          Courier
	SignUp           SignUp
	Register         *Register  // nil: nobody is asked who a patient is
	Providers        []Provider // in the order in which patients see them; none only where patients sign up
	Limits           Limits
	Portals          []Portal
	Gateway          *Gateway // nil: the session alone decides a check

	settings []setting
}

// Text is one text by language. It has every configured language, or none.
type Text map[string]string

// Organisation is who runs the service.
type Organisation struct {
	Name          Text
	Logo          []byte // an image; nil: none
	Help          Help
	Accessibility Accessibility
}

// Help is how patients reach the help desk. Each may be empty.
type Help struct {
	Phone, Email string
	Hours        Text
}

// Accessibility is what was done, and no more.
type Accessibility struct {
	Contact  string
	TestedOn time.Time // a day; zero: not tested
	Method   Text
}

// Notice is a banner on every page until an instant; zero: until it is removed.
type Notice struct {
	Text  Text
	Until time.Time
}

// Sessions is how long a session may last.
type Sessions struct {
	Preset         string
	Idle, Absolute time.Duration
}

// Courier is how messages leave. Without Email nobody signs up; without SMS no
// phone can be proved.
type Courier struct{ Email, SMS *Channel }

// Channel is one kind of message and who carries it: one of both.
type Channel struct {
	SMTP   *SMTP // e-mail alone
	Notify *Notify
}

// SMTP is a mail server. It is spoken to by STARTTLS, and plainly only while
// insecure_loopback.
type SMTP struct {
	Address  string // host:port
	From     string // an address, or NAME <ADDRESS> (RFC 5322 §3.4)
	Username string // empty: it takes mail from our network
	Password identity.Secret
}

// Notify is one channel at GOV.UK Notify.
type Notify struct {
	URL           string
	APIKey        identity.Secret // NAME-SERVICE-SECRET, the last two being UUIDs
	Template      string          // a UUID
	ReceiptsToken identity.Secret // what its delivery receipts carry; empty: none are taken
}

// SignUp is whether and for whom accounts are made without a provider. The zero
// value is that nobody signs up.
type SignUp struct {
	Enabled        bool
	MinimumAge     int      // in years
	Practices      []string // ODS codes of GP practices; none: any
	TestNHSNumbers bool     // numbers in the 9… range, which belong to nobody
	EmailCodes     bool     // a code by e-mail is the second step of patients who have no second factor; it is none either
}

// The kinds of register.
const (
	kindIndex = "index"
	kindPDS   = "pds"
)

// Register is who the health service says a patient is.
type Register struct {
	Kind         string // index or pds; what follows is of pds alone
	URL          string // of its FHIR API
	TokenURL     string
	ClientKey    *token.AssertionKey // RS512, with a kid
	APIKey       identity.Secret
	ContactProof bool // a contact on an entry proves, although it can't be asked who else has it
}

// Rate is how many in a time.
type Rate struct {
	N   int
	Per time.Duration
}

// Limits is how often things may be tried. Of several rates each one holds.
type Limits struct {
	SendCooldown     time.Duration  // between two codes to one address
	SendPerAddress   []Rate         // codes to one phone number or e-mail address
	SendPerFlow      int            // codes in one sign-up, login or recovery
	SendPerNetwork   []Rate         // unfinished attempts from one address; beyond it answers slow down
	SendPerBlock     Rate           // codes to phone numbers that differ in the last four digits
	SendPerService   []Rate         // codes in all; one of them is for 24 hours
	SendReserve      int            // per cent of the day's, kept for patients who are logged in
	CodeGuesses      int            // at one code
	CodeGuessesDay   int            // at the codes of one account in a day
	CodeGuessesEver  int            // wrong ones in a row, after which the factor is off
	PasswordGuesses  Rate           // at one account, before it is locked
	PasswordLock     time.Duration  // the first time; it doubles each time after …
	PasswordLockMost time.Duration  // … up to this
	RegisterLookups  Rate           // by details typed, for one entry and for one browser
	Networks         []netip.Prefix // that many patients share
}

// The kinds of provider.
const (
	kindNHSLogin = "nhs-login"
	kindOIDC     = "oidc"
)

// Provider is an outside service that proves who a patient is.
type Provider struct {
	ID           string
	Kind         string // nhs-login or oidc
	Name         Text   // on its button
	Issuer       string // exactly as written
	ClientID     string
	ClientKey    *token.AssertionKey // private_key_jwt; nil where there is a secret
	ClientSecret identity.Secret
	Trust        []identity.Trust          // kind nhs-login: sent as vtr, checked against vot
	TrustMap     map[string]identity.Trust // kind oidc: by acr; nil: everything is P0.Cp
	Scopes       []string
	PKCE         string // auto, always or never
	Prompt       string // auto, always or never
	IDTokenAlgs  []token.Alg
	SettingsURL  string // where its patients mend their details; empty: not shown
	ButtonLogo   []byte // nil: none

	Passkeys   bool          // its patients may come back with a passkey …
	Reprove    time.Duration // … for that long after their last login there
	TrustLasts time.Duration // how long its proof serves the account's own factors after that
}

// LowerProof is who answers for a door that opens below P9.
type LowerProof struct {
	Reason, ApprovedBy string
	Until              time.Time // the first instant at which it is over
}

// Portal is a service that trusts Dilys.
type Portal struct {
	ID                     string
	Name                   Text
	RedirectURIs           []string
	PostLogoutRedirectURIs []string
	ClientSecret           identity.Secret // with neither it nor keys: a public client
	ClientJWKS             []byte          // the key set that proves it (RFC 7517 §5); nil: none here
	ClientJWKSURI          string          // where the key set is fetched; empty: nowhere
	EventsURI              string          // where it takes security event tokens; empty: nowhere
	BackchannelLogoutURI   string          // where it takes logout tokens; empty: nowhere
	Pairwise               bool            // it knows patients by subjects of its own
	Scopes                 []string
	Trust                  []identity.Trust // the floor
	LowerProof             *LowerProof      // nil: every vector is P9
	MinimumAge             int              // in years; 0: not asked
	Provider               string           // id to go to straight away; empty: the patient chooses
	Audience               string
	IDTokenAlg             token.Alg
	PKCEOptional           bool // never for a public client
}

// Gateway is what forward authentication asks for.
type Gateway struct{ Hosts []Host }

// Host is a name behind the gateway.
type Host struct {
	Host       string // lower case, with a port that is not the scheme's own
	MinimumAge int    // in years; 0: not asked
	Token      bool   // a check's 200 carries an access token for it
	Rules      []Rule
}

// Rule is what a path and all below it ask for.
type Rule struct {
	Path       string
	Methods    []string // none: every method
	Public     bool
	Trust      []identity.Trust
	LowerProof *LowerProof
	MaxAge     time.Duration // 0: not asked
	NoActivity bool          // renews nothing
}

// maxConfig is the largest configuration read, in bytes.
const maxConfig = 1 << 20

// Load reads the configuration in file and the files that it names, and judges all
// of it at that instant. The error is [Faults]: every fault there is, in the order
// of the file.
func Load(file string, now time.Time) (*Config, error) {
	text, got := readWhole(file, maxConfig, nil)
	if got != "" {
		return nil, Faults{{File: file, Line: 1, Col: 1, Key: "config", Wanted: fmt.Sprintf("a readable file of at most %d KiB", maxConfig>>10), Got: got}}
	}
	return Parse(file, text, now)
}

// Parse is [Load] for a text that is already there. Relative paths in it start at
// the folder of file.
func Parse(file string, text []byte, now time.Time) (*Config, error) {
	root, faults := parseYAML(file, text)
	if faults != nil {
		return nil, faults
	}
	folder, err := filepath.Abs(filepath.Dir(file))
	if err != nil {
		return nil, Faults{{File: file, Line: 1, Col: 1, Key: "config", Wanted: "a folder that its files can be found from", Got: "none"}}
	}
	r := &reading{name: file, folder: folder, now: now}
	c := r.config(value{reading: r, node: root, place: root.place, need: true}.mapping())
	if len(r.faults) > 0 {
		return nil, r.faults.sorted()
	}
	c.settings = r.settings
	return c, nil
}

// readWhole reads a regular file, or says what it got instead; never a name, as a
// secret itself may stand where its file should be named. judge, if any, looks at
// the file's mode first. A pipe or a device would hang or never end.
func readWhole(name string, limit int64, judge func(fs.FileMode) string) (content []byte, got string) {
	before, err := os.Stat(name)
	if err != nil {
		return nil, unreadable(err)
	}
	if !before.Mode().IsRegular() {
		return nil, "something else than a file"
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, unreadable(err)
	}
	defer func() { _ = f.Close() }()
	opened, err := f.Stat() // of what was opened, whatever stands at that name by now
	if err != nil || !opened.Mode().IsRegular() {
		return nil, "something else than a file"
	}
	if judge != nil {
		if got := judge(opened.Mode()); got != "" {
			return nil, got
		}
	}
	content, err = io.ReadAll(io.LimitReader(f, limit+1))
	switch {
	case err != nil:
		return nil, "a file that can't be read"
	case int64(len(content)) > limit:
		return nil, "a larger one"
	}
	return content, ""
}

func unreadable(err error) string {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "no file of that name"
	case errors.Is(err, fs.ErrPermission):
		return "a file that this user may not read"
	}
	return "a name that can't be opened"
}
