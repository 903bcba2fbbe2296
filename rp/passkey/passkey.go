package passkey

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"
	"github.com/google/uuid"

	"github.com/dilys-id/dilys/identity/factor"
)

// Bounds of an answer.
const (
	answerAtMost     = 32 << 10 // bytes of JSON
	credentialAtMost = 1023     // bytes of an id (WebAuthn §5.8.3)
)

// ErrRefused says that an answer does not stand: it is not one to this challenge, from
// this origin, by this key, with the patient verified. The cause is for the log.
var ErrRefused = errors.New("the passkey's answer does not stand")

// Options says for whom passkeys are made.
type Options struct {
	PublicURL *url.URL // its host is the relying party's id, and its origin the only one
	Name      string   // of the organisation, which some authenticators show
}

// Ceremonies makes and asks passkeys.
type Ceremonies struct{ relying *webauthn.WebAuthn }

// New returns the ceremonies of that relying party.
func New(o Options) (*Ceremonies, error) {
	stays := true
	relying, err := webauthn.New(&webauthn.Config{
		RPID: o.PublicURL.Hostname(), RPDisplayName: o.Name, RPOrigins: []string{o.PublicURL.Scheme + "://" + o.PublicURL.Host},
		AttestationPreference: protocol.PreferNoAttestation,
		AuthenticatorSelection: protocol.AuthenticatorSelection{
			ResidentKey: protocol.ResidentKeyRequirementRequired, RequireResidentKey: &stays, UserVerification: protocol.VerificationRequired,
		},
		Timeouts: webauthn.TimeoutsConfig{
			Login: webauthn.TimeoutConfig{Timeout: factor.ChallengeLife}, Registration: webauthn.TimeoutConfig{Timeout: factor.ChallengeLife},
		},
	})
	if err != nil {
		return nil, fmt.Errorf("passkeys: %w", err)
	}
	return &Ceremonies{relying}, nil
}

// ID is the relying party's id.
func (c *Ceremonies) ID() string { return c.relying.Config.RPID }

// Owner is for whom a passkey is made, or of whom one is asked.
type Owner struct {
	Handle string // random, nothing personal (WebAuthn §14.6.1)
	Name   string // what the device shows beside the passkey: the patient's own e-mail address
	Keys   []factor.Passkey
}

// WebAuthnID is of [webauthn.User].
func (o Owner) WebAuthnID() []byte { return []byte(o.Handle) }

// WebAuthnName is of [webauthn.User].
func (o Owner) WebAuthnName() string { return o.Name }

// WebAuthnDisplayName is of [webauthn.User].
func (o Owner) WebAuthnDisplayName() string { return o.Name }

// WebAuthnCredentials is of [webauthn.User]. One that can't be read is left out, and
// answers nothing.
func (o Owner) WebAuthnCredentials() []webauthn.Credential {
	all := make([]webauthn.Credential, 0, len(o.Keys))
	for _, k := range o.Keys {
		var credential webauthn.Credential
		if json.Unmarshal(k.Record, &credential) == nil {
			all = append(all, credential)
		}
	}
	return all
}

// ToMake returns the options with which a browser makes a passkey that stays on the
// device and verifies its user (PublicKeyCredentialCreationOptionsJSON, WebAuthn §5.1.8).
// The owner's other passkeys are named, so that no device makes a second one.
func (c *Ceremonies) ToMake(o Owner, challenge []byte) (string, error) {
	var others []protocol.CredentialDescriptor
	for _, credential := range o.WebAuthnCredentials() {
		others = append(others, credential.Descriptor())
	}
	creation, _, err := c.relying.BeginRegistration(o, webauthn.WithExclusions(others), func(options *protocol.PublicKeyCredentialCreationOptions) error {
		options.Challenge = challenge
		return nil
	})
	if err != nil {
		return "", fmt.Errorf("passkey options: %w", err)
	}
	return marshal(creation.Response)
}

// ToAsk returns the options with which a browser asks for a passkey
// (PublicKeyCredentialRequestOptionsJSON, WebAuthn §5.1.10): for any that it has, where
// the owner is not known, so that they tell nothing of who has one; else for the owner's.
func (c *Ceremonies) ToAsk(o Owner, challenge []byte) (string, error) {
	assertion, _, err := c.relying.BeginDiscoverableLogin(func(options *protocol.PublicKeyCredentialRequestOptions) error {
		options.Challenge = challenge
		for _, credential := range o.WebAuthnCredentials() {
			options.AllowedCredentials = append(options.AllowedCredentials, credential.Descriptor())
		}
		return nil
	})
	if err != nil {
		return "", fmt.Errorf("passkey options: %w", err)
	}
	return marshal(assertion.Response)
}

func marshal(options any) (string, error) {
	b, err := json.Marshal(options)
	if err != nil {
		return "", fmt.Errorf("passkey options: %w", err)
	}
	return string(b), nil
}

// Made is what a browser says that it made, before it is judged.
type Made struct {
	Challenge []byte // that it answers: to be spent before anything else
	parsed    *protocol.ParsedCredentialCreationData
}

// ReadMade reads a RegistrationResponseJSON. What is none is [ErrRefused].
func ReadMade(response string) (Made, error) {
	if len(response) > answerAtMost {
		return Made{}, refused("wanted an answer of ordinary size")
	}
	parsed, err := protocol.ParseCredentialCreationResponseBytes([]byte(response))
	if err != nil {
		return Made{}, refusedBy(err)
	}
	challenge, err := readChallenge(parsed.Response.CollectedClientData.Challenge)
	return Made{challenge, parsed}, err
}

func readChallenge(s string) ([]byte, error) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err != nil {
		return nil, refused("wanted a challenge in base64url")
	}
	return b, nil
}

// Judge returns the passkey that was made for the owner (WebAuthn §7.1).
func (c *Ceremonies) Judge(o Owner, m Made) (factor.Passkey, error) {
	credential, err := c.relying.CreateCredential(o, webauthn.SessionData{
		Challenge: base64.RawURLEncoding.EncodeToString(m.Challenge), RelyingPartyID: c.ID(), UserID: o.WebAuthnID(),
		UserVerification: protocol.VerificationRequired, CredParams: webauthn.CredentialParametersDefault(),
	}, m.parsed)
	if err != nil {
		return factor.Passkey{}, refusedBy(err)
	}
	if len(credential.ID) > credentialAtMost {
		return factor.Passkey{}, refused("wanted a credential id of at most 1023 bytes")
	}
	record, err := recordOf(*credential)
	return factor.Passkey{
		Credential: credential.ID, Handle: o.Handle, Record: record, AAGUID: modelOf(credential.Authenticator.AAGUID),
		Count: credential.Authenticator.SignCount, BackedUp: credential.Flags.BackupState,
	}, err
}

// recordOf is what is kept of a credential. The attestation proved nothing that was
// asked for, and is left out.
func recordOf(credential webauthn.Credential) ([]byte, error) {
	credential.Attestation = webauthn.CredentialAttestation{}
	b, err := json.Marshal(credential)
	if err != nil {
		return nil, fmt.Errorf("passkey: %w", err)
	}
	return b, nil
}

// modelOf names the authenticator's model; nothing for one that does not say.
func modelOf(aaguid []byte) string {
	id, err := uuid.FromBytes(aaguid)
	if err != nil || id == uuid.Nil {
		return ""
	}
	return id.String()
}

// Given is what a browser says that a passkey answered, before it is judged.
type Given struct {
	Challenge  []byte // that it answers: to be spent before anything else
	Credential []byte // by which the passkey is found
	parsed     *protocol.ParsedCredentialAssertionData
}

// ReadGiven reads an AuthenticationResponseJSON. What is none is [ErrRefused].
func ReadGiven(response string) (Given, error) {
	if len(response) > answerAtMost {
		return Given{}, refused("wanted an answer of ordinary size")
	}
	parsed, err := protocol.ParseCredentialRequestResponseBytes([]byte(response))
	if err != nil {
		return Given{}, refusedBy(err)
	}
	if len(parsed.RawID) == 0 || len(parsed.RawID) > credentialAtMost {
		return Given{}, refused("wanted a credential id of 1 to 1023 bytes")
	}
	challenge, err := readChallenge(parsed.Response.CollectedClientData.Challenge)
	return Given{challenge, parsed.RawID, parsed}, err
}

// Proved is what an answer told that stands.
type Proved struct {
	Use    factor.PasskeyUse
	Cloned bool // the counter went back: there are two of it
}

// Check judges the answer by that passkey (WebAuthn §7.2), the one that has the
// credential.
func (c *Ceremonies) Check(p factor.Passkey, g Given) (Proved, error) {
	owner := Owner{Handle: p.Handle, Keys: []factor.Passkey{p}}
	credential, err := c.relying.ValidateDiscoverableLogin(
		func([]byte, []byte) (webauthn.User, error) { return owner, nil },
		webauthn.SessionData{
			Challenge: base64.RawURLEncoding.EncodeToString(g.Challenge), RelyingPartyID: c.ID(), UserVerification: protocol.VerificationRequired,
		}, g.parsed)
	if err != nil {
		return Proved{}, refusedBy(err)
	}
	record, err := recordOf(*credential)
	return Proved{
		Use:    factor.PasskeyUse{Record: record, Count: credential.Authenticator.SignCount, BackedUp: credential.Flags.BackupState},
		Cloned: credential.Authenticator.CloneWarning,
	}, err
}

func refused(why string) error { return fmt.Errorf("%w: %s", ErrRefused, why) }

// refusedBy tells what the library found, which names no value of the patient's.
func refusedBy(err error) error {
	if e := (*protocol.Error)(nil); errors.As(err, &e) {
		return fmt.Errorf("%w: %s", ErrRefused, e.Details)
	}
	return fmt.Errorf("%w: %s", ErrRefused, "it can't be read")
}
