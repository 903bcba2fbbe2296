package courier

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/dilys-id/dilys/identity"
)

// maxReceipt bounds a delivery receipt, which takes half a kilobyte.
const maxReceipt = 64 << 10

// statuses are the ends that Notify tells of.
var statuses = []string{"delivered", "permanent-failure", "temporary-failure", "technical-failure"}

// Receipts takes the delivery receipts of GOV.UK Notify: POST with the bearer
// token that the operator gave there. seen is told the reference and the status of
// each, perhaps more than once, as Notify repeats what it got no answer to; its
// error is answered with 503, and the receipt comes again (five times, five
// minutes apart).
//
// 401 for any other bearer, before the body is read; 413 beyond 64 KiB; 400 for
// what is no receipt; 200 for every receipt, also of a message that is not ours.
// The address in it is dropped unread. An empty bearer admits nobody.
func Receipts(bearer identity.Secret, seen func(ctx context.Context, reference, status string) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		given, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		switch {
		case r.Method != http.MethodPost:
			w.Header().Set("Allow", http.MethodPost)
			w.WriteHeader(http.StatusMethodNotAllowed)
			return
		case !bearer.Equal(identity.Secret(given)):
			w.Header().Set("WWW-Authenticate", "Bearer")
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		w.WriteHeader(receive(r, http.MaxBytesReader(w, r.Body, maxReceipt), seen))
	})
}

// receive reads one receipt and returns the status to answer.
func receive(r *http.Request, body io.Reader, seen func(context.Context, string, string) error) int {
	content, err := io.ReadAll(body)
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return http.StatusRequestEntityTooLarge
	}
	reference, status, ok := readReceipt(content)
	switch {
	case err != nil || !ok:
		return http.StatusBadRequest
	case reference == "" || status == "":
		return http.StatusOK
	case seen(r.Context(), reference, status) != nil:
		return http.StatusServiceUnavailable
	}
	return http.StatusOK
}

// referenceShape is that of a message's ID.
var referenceShape = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// readReceipt returns the reference and status of a receipt, each empty where it
// is none of ours; ok is false for what is no receipt.
func readReceipt(content []byte) (reference, status string, ok bool) {
	var receipt struct {
		Reference *string `json:"reference"`
		Status    *string `json:"status"`
	}
	if json.Unmarshal(content, &receipt) != nil || receipt.Status == nil {
		return "", "", false
	}
	if receipt.Reference != nil && referenceShape.MatchString(*receipt.Reference) {
		reference = *receipt.Reference
	}
	if slices.Contains(statuses, *receipt.Status) {
		status = *receipt.Status
	}
	return reference, status, true
}
