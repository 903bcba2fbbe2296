package simulator

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

const (
	maxToken = 16 << 10 // characters of a JWT
	skew     = time.Minute

	// assertionLife is the lifetime NHS login asks of client assertions;
	// longAssertionLife is what the laxest of real clients send.
	assertionLife     = 5 * time.Minute
	longAssertionLife = time.Hour
	// identityLife is the longest life of an asserted login identity.
	identityLife = 60 * time.Second
)

// anyAlg is every asymmetric algorithm a client may be registered with.
var anyAlg = []jose.SignatureAlgorithm{
	jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512, jose.ES256,
}

// party returns a registered client, or the one that plays the NHS App.
func (s *Simulator) party(id string) (Client, bool) {
	if id != AppClientID {
		return s.client(id)
	}
	key, err := s.app()
	if err != nil {
		return Client{}, false
	}
	return Client{ID: id, Name: "NHS App", Keys: jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public()}}}}, true
}

// readSigned verifies a JWT by the keys of the client that who finds in it, and
// returns that client and the token's claims in dst.
func (s *Simulator) readSigned(raw string, who func(jwt.Claims) string, dst ...any) (Client, error) {
	if len(raw) > maxToken {
		return Client{}, fmt.Errorf("wanted at most %d characters", maxToken)
	}
	token, err := jwt.ParseSigned(raw, anyAlg)
	if err != nil {
		return Client{}, errors.New("wanted a signed JWT of a supported algorithm")
	}
	var unverified jwt.Claims
	if token.UnsafeClaimsWithoutVerification(&unverified) != nil {
		return Client{}, errors.New("wanted JSON claims")
	}
	client, ok := s.party(who(unverified))
	if !ok {
		return Client{}, errors.New("wanted a registered client")
	}
	return client, s.verifyBy(client, token, dst...)
}

// verifyBy tries the client's keys. NHS login registers one PEM, which has no kid:
// a kid in the header picks among several, and is else ignored.
func (s *Simulator) verifyBy(c Client, token *jwt.JSONWebToken, dst ...any) error {
	head := token.Headers[0]
	if !slices.Contains(c.algs(), jose.SignatureAlgorithm(head.Algorithm)) {
		return fmt.Errorf("alg: wanted one of %v, got %.16q", c.algs(), head.Algorithm)
	}
	keys := c.Keys.Keys
	if named := c.Keys.Key(head.KeyID); head.KeyID != "" && len(named) > 0 {
		keys = named
	}
	for _, k := range keys {
		if keyAlg(k) == jose.SignatureAlgorithm(head.Algorithm) && token.Claims(k.Key, dst...) == nil {
			return nil
		}
	}
	return errors.New("signature: wanted the client's key, got another")
}

// claimedClient returns the client that a client assertion says it is of. It
// proves nothing; the call log uses it.
func claimedClient(raw string) string {
	if len(raw) > maxToken {
		return ""
	}
	token, err := jwt.ParseSigned(raw, anyAlg)
	var c jwt.Claims
	if err != nil || token.UnsafeClaimsWithoutVerification(&c) != nil {
		return ""
	}
	return c.Subject
}

// clientAssertion verifies an RFC 7523 client assertion as the specification's
// section 3.5.1 asks: iss and sub the client, aud the token endpoint, exp, and a
// jti that never came before.
func (s *Simulator) clientAssertion(raw string, now time.Time) (Client, error) {
	var c jwt.Claims
	client, err := s.readSigned(raw, func(c jwt.Claims) string { return c.Subject }, &c)
	if err != nil {
		return Client{}, err
	}
	if err := s.judgeAssertion(client, c, now); err != nil {
		return Client{}, err
	}
	if !s.jtis.first("client "+client.ID+" "+c.ID, struct{}{}, c.Expiry.Time().Add(skew), now) {
		return Client{}, errors.New("jti: wanted a new one, got one that was used")
	}
	return client, nil
}

func (s *Simulator) judgeAssertion(client Client, c jwt.Claims, now time.Time) error {
	switch {
	case client.ID == AppClientID:
		return errors.New("wanted a client with a token endpoint to call")
	case c.Issuer != c.Subject:
		return errors.New("iss: wanted the same as sub")
	case c.Expiry == nil || !now.Before(c.Expiry.Time().Add(skew)):
		return errors.New("exp: wanted an instant to come")
	case c.NotBefore != nil && c.NotBefore.Time().After(now.Add(skew)):
		return errors.New("nbf: wanted an instant gone by")
	case c.IssuedAt != nil && c.IssuedAt.Time().After(now.Add(skew)):
		return errors.New("iat: wanted an instant gone by")
	case c.ID == "":
		return errors.New("jti: wanted one, got none")
	}
	if err := s.judgeAudience(client, c); err != nil {
		return err
	}
	return s.judgeLife(client, c.Expiry.Time().Sub(now))
}

// judgeAudience wants the token endpoint; the issuer is tolerated unless strict.
func (s *Simulator) judgeAudience(client Client, c jwt.Claims) error {
	if c.Audience.Contains(s.base() + "/token") {
		return nil
	}
	lax := c.Audience.Contains(s.Issuer()) || c.Audience.Contains(s.base())
	if !lax || s.opt.Strict {
		return errors.New("aud: wanted the token endpoint")
	}
	s.warn(client.ID, "client assertion: aud is the issuer; NHS login wants the token endpoint")
	return nil
}

// judgeLife wants five minutes at most; more is tolerated unless strict.
func (s *Simulator) judgeLife(client Client, left time.Duration) error {
	if left <= assertionLife+skew {
		return nil
	}
	if s.opt.Strict {
		return fmt.Errorf("exp: wanted at most %s from now", assertionLife)
	}
	limit := assertionLife
	if left > longAssertionLife+skew {
		limit = longAssertionLife
	}
	s.warn(client.ID, "client assertion: lives longer than %s", limit)
	return nil
}

// proven is what an ID token vouches for when its jti comes back.
type proven struct {
	clientID string
	session  session
}

// assertedIdentity verifies an asserted_login_identity: a JWT that a registered
// client signed over the jti of the ID token it holds (`code`), living a minute at
// most, taken once. It returns the session of that ID token.
func (s *Simulator) assertedIdentity(raw string, now time.Time) (session, Client, error) {
	var c jwt.Claims
	var own struct {
		Code string `json:"code"`
	}
	client, err := s.readSigned(raw, func(c jwt.Claims) string { return c.Issuer }, &c, &own)
	if err != nil {
		return session{}, Client{}, err
	}
	if err := judgeIdentity(c, now); err != nil {
		return session{}, Client{}, err
	}
	known, ok := s.tokens.get(own.Code, now)
	if !ok || known.clientID != client.ID {
		return session{}, Client{}, errors.New("code: wanted the jti of an ID token of this client")
	}
	if !s.jtis.first("identity "+client.ID+" "+c.ID, struct{}{}, c.Expiry.Time().Add(skew), now) {
		return session{}, Client{}, errors.New("jti: wanted a new one, got one that was used")
	}
	return known.session, client, nil
}

func judgeIdentity(c jwt.Claims, now time.Time) error {
	switch {
	case c.ID == "":
		return errors.New("jti: wanted one, got none")
	case c.IssuedAt == nil || c.IssuedAt.Time().After(now.Add(skew)):
		return errors.New("iat: wanted an instant gone by")
	case c.Expiry == nil || c.Expiry.Time().Sub(c.IssuedAt.Time()) > identityLife:
		return fmt.Errorf("exp: wanted at most %s after iat", identityLife)
	case !now.Before(c.Expiry.Time().Add(skew)):
		return errors.New("exp: wanted an instant to come")
	}
	return nil
}

// session is a patient who is logged in at the provider in some browser.
type session struct {
	patientKey string
	used       identity.Credential
	authTime   time.Time
}
