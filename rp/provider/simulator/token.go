package simulator

import (
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// assertionType is RFC 7523 §2.2's name of a client assertion.
const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// tokenHTTP is the token endpoint. Its errors are HTTP 400 with the standard codes
// (section 3.5).
func (s *Simulator) tokenHTTP(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	err := r.ParseForm()
	form := r.PostForm
	claimed := claimedID(r, form)
	s.record(EndpointToken, claimed)
	f := s.tokenFaults(claimed, form)
	if redirected(w, f, EndpointToken) {
		return
	}
	doc, bad := s.tokenAnswer(r, form, err, f)
	status := http.StatusOK
	if bad != nil {
		status = http.StatusBadRequest
		doc = map[string]any{"error": bad.code, "error_description": bad.about}
		s.warn(claimed, "token endpoint: %s: %s", bad.code, bad.about)
	}
	doc, reply := f.Token.document(doc)
	answer(w, r, status, doc, reply)
}

// claimedID returns the client a token request says it is of, whether true or not.
func claimedID(r *http.Request, form url.Values) string {
	if id := claimedClient(form.Get("client_assertion")); id != "" {
		return id
	}
	if id, _, ok := basicAuth(r); ok {
		return id
	}
	return form.Get("client_id")
}

// tokenFaults returns the faults of the login whose code or token this is.
func (s *Simulator) tokenFaults(clientID string, form url.Values) Faults {
	now := s.now()
	g, ok := s.codes.get(form.Get("code"), now)
	if !ok {
		g, _ = s.refresh.get(form.Get("refresh_token"), now)
	}
	return s.faultsFor(clientID, g.login.faults)
}

// tokenAnswer decides a token request.
func (s *Simulator) tokenAnswer(r *http.Request, form url.Values, formErr error, f Faults) (map[string]any, *refusal) {
	if formErr != nil {
		return nil, &refusal{"invalid_request", "The form could not be read"}
	}
	for _, values := range form {
		if len(values) > 1 {
			return nil, &refusal{"invalid_request", "A parameter came twice"}
		}
	}
	now := s.now()
	client, err := s.authenticate(r, form, now)
	if err != nil {
		return nil, &refusal{"invalid_client", err.Error()}
	}
	switch form.Get("grant_type") {
	case "authorization_code":
		return s.redeem(client, form, f, now)
	case "refresh_token":
		return s.renew(client, form, f, now)
	case "":
		return nil, &refusal{"invalid_request", "grant_type is required"}
	}
	return nil, &refusal{"unsupported_grant_type", "Only authorization_code and refresh_token are supported"}
}

// authenticate finds out which client calls. client_id may be absent beside an
// assertion; where it comes it must agree.
func (s *Simulator) authenticate(r *http.Request, form url.Values, now time.Time) (Client, error) {
	client, err := s.authenticated(r, form, now)
	if err == nil && form.Has("client_id") && form.Get("client_id") != client.ID {
		return Client{}, errors.New("client_id: wanted the client that authenticates")
	}
	return client, err
}

func (s *Simulator) authenticated(r *http.Request, form url.Values, now time.Time) (Client, error) {
	id, secret, basic := basicAuth(r)
	asserted, posted := form.Has("client_assertion"), form.Has("client_secret")
	switch {
	case basic && (asserted || posted) || asserted && posted:
		return Client{}, errors.New("wanted one way of client authentication, got several")
	case basic:
		return s.bySecret(id, secret)
	case posted:
		return s.bySecret(form.Get("client_id"), form.Get("client_secret"))
	case !asserted || form.Get("client_assertion_type") != assertionType:
		return Client{}, errors.New("wanted client_assertion and client_assertion_type")
	}
	client, err := s.clientAssertion(form.Get("client_assertion"), now)
	if err == nil && len(client.Keys.Keys) == 0 {
		return Client{}, errors.New("wanted a client with a key")
	}
	return client, err
}

// basicAuth reads HTTP Basic with its parts form-encoded (RFC 6749 §2.3.1).
func basicAuth(r *http.Request) (id, secret string, ok bool) {
	id, secret, ok = r.BasicAuth()
	if !ok {
		return "", "", false
	}
	i, idErr := url.QueryUnescape(id)
	sec, secretErr := url.QueryUnescape(secret)
	if idErr != nil || secretErr != nil {
		return id, "", true
	}
	return i, sec, true
}

func (s *Simulator) bySecret(id, secret string) (Client, error) {
	c, ok := s.client(id)
	if !ok || c.Secret == "" || subtle.ConstantTimeCompare([]byte(c.Secret), []byte(secret)) != 1 {
		return Client{}, errors.New("wanted a client with a secret, and that secret")
	}
	return c, nil
}

// redeem exchanges a code. The code is spent before anything about it is judged; a
// second use takes away what the first gave (RFC 6749 §4.1.2).
func (s *Simulator) redeem(c Client, form url.Values, f Faults, now time.Time) (map[string]any, *refusal) {
	code := form.Get("code")
	g, ok := s.codes.get(code, now)
	if !ok {
		return nil, &refusal{"invalid_grant", "The code is unknown or expired"}
	}
	if !s.spent.first(code, struct{}{}, now.Add(codeLife), now) {
		s.revoked.put(g.login.id, struct{}{}, now.Add(refreshLife), now)
		return nil, &refusal{"invalid_grant", "The code was used"}
	}
	switch {
	case g.login.clientID != c.ID:
		return nil, &refusal{"invalid_grant", "The code is another client's"}
	case g.redirectURI != form.Get("redirect_uri"):
		return nil, &refusal{"invalid_grant", "The redirect_uri is not the one that was asked for"}
	case g.challenge != "" && g.challenge != s256(form.Get("code_verifier")):
		return nil, &refusal{"invalid_grant", "The code_verifier does not fit the challenge"}
	case g.challenge == "" && form.Has("code_verifier"):
		s.warn(c.ID, "sends a code_verifier without a challenge before it")
	}
	return s.issue(c, g, f, now)
}

func s256(verifier string) string {
	sum := sha256.Sum256([]byte(verifier))
	return b64(sum[:])
}

// issue answers a code: access token, ID token, and a refresh token for clients
// registered for one (NHS login has no offline_access).
func (s *Simulator) issue(c Client, g grant, f Faults, now time.Time) (map[string]any, *refusal) {
	doc, bad := s.accessAnswer(g, f, now)
	if bad != nil {
		return nil, bad
	}
	if f.Rotate == RotateAtSigning {
		s.rotateForLie()
	}
	jti := newName()
	claims := g.login.idTokenClaims(s.Issuer(), jti, g.scope, now)
	if s.opt.AtHash {
		claims["at_hash"] = atHash(s.keys.alg, doc["access_token"].(string))
	}
	token, err := s.issueToken(claims, f.IDToken)
	if err != nil {
		return nil, s.broken(err)
	}
	doc["id_token"] = token
	s.tokens.put(jti, proven{c.ID, g.login.session()}, now.Add(rememberLogin), now)
	if c.Refresh {
		name := newName()
		s.refresh.put(name, g, now.Add(refreshLife), now)
		doc["refresh_token"] = name
	}
	return doc, nil
}

// session is what the login vouches for at another client.
func (l login) session() session {
	return session{patientKey: l.patient.Key, used: l.vot.C, authTime: l.authTime}
}

// accessAnswer issues an access token.
func (s *Simulator) accessAnswer(g grant, f Faults, now time.Time) (map[string]any, *refusal) {
	token, err := s.issueToken(g.login.accessTokenClaims(s.Issuer(), g.scope, now), f.AccessToken)
	if err != nil {
		return nil, s.broken(err)
	}
	s.access.put(token, g, now.Add(accessLife), now)
	return map[string]any{
		"access_token": token, "token_type": "Bearer", "expires_in": int(accessLife / time.Second),
		"scope": strings.Join(g.scope, " "),
	}, nil
}

// broken reports a fault of our own: a lie that cannot be told.
func (s *Simulator) broken(err error) *refusal {
	s.opt.Log.Error("simulator: token not made", "err", err)
	return &refusal{"server_error", "The token could not be made"}
}

// renew answers a refresh token: a new access token, no ID token, and the same
// refresh token again, which stays good until its end. Scopes can only narrow.
func (s *Simulator) renew(c Client, form url.Values, f Faults, now time.Time) (map[string]any, *refusal) {
	name := form.Get("refresh_token")
	g, ok := s.refresh.get(name, now)
	_, dead := s.revoked.get(g.login.id, now)
	if !ok || dead || g.login.clientID != c.ID {
		return nil, &refusal{"invalid_grant", "The refresh token is unknown, expired or another client's"}
	}
	if form.Has("scope") {
		narrow := strings.Fields(form.Get("scope"))
		for _, scope := range narrow {
			if !slices.Contains(g.scope, scope) {
				return nil, &refusal{"invalid_scope", "A refresh token cannot widen its scope"}
			}
		}
		g.scope = narrow
	}
	doc, bad := s.accessAnswer(g, f, now)
	if bad == nil {
		doc["refresh_token"] = name
	}
	return doc, bad
}

// atHash is the left half of the access token's digest by the ID token's algorithm
// (OpenID Connect Core §3.1.3.6).
func atHash(alg, accessToken string) string {
	switch alg[2:] {
	case "256":
		sum := sha256.Sum256([]byte(accessToken))
		return b64(sum[:16])
	case "384":
		sum := sha512.Sum384([]byte(accessToken))
		return b64(sum[:24])
	}
	sum := sha512.Sum512([]byte(accessToken))
	return b64(sum[:32])
}

// userinfoHTTP is the userinfo endpoint: unsigned JSON.
func (s *Simulator) userinfoHTTP(w http.ResponseWriter, r *http.Request) {
	token, several := bearer(w, r)
	g, ok := s.access.get(token, s.now())
	s.record(EndpointUserInfo, g.login.clientID)
	f := s.faultsFor(g.login.clientID, g.login.faults)
	_, dead := s.revoked.get(g.login.id, s.now())
	switch {
	case redirected(w, f, EndpointUserInfo):
	case several:
		bearerError(w, r, http.StatusBadRequest, "invalid_request")
	case token == "":
		w.Header().Set("WWW-Authenticate", "Bearer")
		w.WriteHeader(http.StatusUnauthorized)
	case !ok || dead:
		bearerError(w, r, http.StatusUnauthorized, "invalid_token")
	case !slices.Contains(g.scope, "openid"):
		bearerError(w, r, http.StatusForbidden, "insufficient_scope")
	default:
		doc, reply := f.UserInfo.document(g.login.userinfo(s.Issuer(), g.scope))
		answer(w, r, http.StatusOK, doc, reply)
	}
}

// bearer returns the access token of a request, from the header or a form body
// (RFC 6750 §2); several reports that it came by both.
func bearer(w http.ResponseWriter, r *http.Request) (token string, several bool) {
	scheme, header, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		header = ""
	}
	if r.Method != http.MethodPost {
		return header, false
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	_ = r.ParseForm() // a body that is no form holds no token
	body := r.PostForm.Get("access_token")
	return orElse(header, body), header != "" && body != ""
}

// bearerError answers as RFC 6750 §3 says, and in the body for clients that read it.
func bearerError(w http.ResponseWriter, r *http.Request, status int, code string) {
	w.Header().Set("WWW-Authenticate", `Bearer error="`+code+`"`)
	answer(w, r, status, map[string]any{"error": code}, Reply{})
}
