package portal

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
)

// maxForm bounds the form of a machine, in bytes.
const maxForm = 64 << 10

// protocolError is a refusal in the words of a standard: RFC 6749 §5.2 for the
// token endpoint, RFC 6750 §3.1 where a token is presented.
type protocolError struct {
	status    int
	code      string
	detail    string // for developers; ASCII of ours, without quotation marks
	challenge string // WWW-Authenticate, with 401 and 403
	cause     string // for the log
}

// Error says the code and what was wrong.
func (e *protocolError) Error() string { return e.code + ": " + e.detail }

// refuseForm refuses a request that can't be read.
func refuseForm(cause, detail string) *protocolError {
	return &protocolError{status: http.StatusBadRequest, code: "invalid_request", detail: detail, cause: cause}
}

// writeJSON writes an answer that no cache may keep (RFC 6749 §5.1); nil is an empty one.
func writeJSON(w http.ResponseWriter, status int, v any) error {
	var body []byte
	h := w.Header()
	if v != nil {
		var err error
		if body, err = json.Marshal(v); err != nil {
			return fmt.Errorf("write the answer: %w", err)
		}
		h.Set("Content-Type", "application/json")
	}
	h.Set("Cache-Control", "no-store")
	h.Set("Pragma", "no-cache")
	w.WriteHeader(status)
	_, _ = w.Write(body) // who is gone can't be told
	return nil
}

// write answers with the error.
func (e *protocolError) write(w http.ResponseWriter) error {
	if e.challenge != "" {
		w.Header().Set("WWW-Authenticate", e.challenge)
	}
	return writeJSON(w, e.status, struct {
		Error       string `json:"error"`
		Description string `json:"error_description,omitempty"`
	}{e.code, e.detail})
}

// unavailable answers that nothing could be known or given now, and returns why.
func unavailable(w http.ResponseWriter, err error) error {
	w.Header().Set("Retry-After", "10")
	e := &protocolError{
		status: http.StatusServiceUnavailable, code: "temporarily_unavailable", detail: "try again in a moment; nothing was given",
	}
	_ = e.write(w)
	return err
}

// readForm reads the body of a POST within its bounds. What the query says is not
// read: secrets don't belong there (RFC 6749 §2.3.1).
func readForm(w http.ResponseWriter, r *http.Request) (url.Values, *protocolError) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		return nil, refuseForm("form-unreadable", fmt.Sprintf("body: wanted a form of at most %d bytes", maxForm))
	}
	if len(r.PostForm) > maxParams {
		return nil, refuseForm("form-too-long", fmt.Sprintf("body: wanted at most %d parameters", maxParams))
	}
	return r.PostForm, nil
}
