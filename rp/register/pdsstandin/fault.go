package pdsstandin

import (
	"io"
	"net/http"
	"slices"
	"time"
)

// Fault is what goes wrong at an endpoint. What is not set is as it should be.
type Fault struct {
	Endpoint string // [Token], [Patient], [Search]; empty: every one
	Times    int    // how often; 0: until [Standin.SetFaults] is called again

	Delay      time.Duration // before the answer; an answer that is late is still given
	RequestID  string        // X-Request-ID of the answer
	Status     int           // in place of an answer, with Code in an OperationOutcome
	Code       string
	RetryAfter string
	Location   string // of a redirect
	Type, Body string // in place of an answer, with Status or 200
}

// Preset returns a fault by name, for a workbench; false if there is none.
func Preset(name string) (Fault, bool) {
	f, known := presets[name]
	return f, known
}

// Presets returns the names of the presets, in order.
func Presets() []string {
	var all []string
	for name := range presets {
		all = append(all, name)
	}
	slices.Sort(all)
	return all
}

var presets = map[string]Fault{
	"too-many-requests": {Status: http.StatusTooManyRequests, Code: "TOO_MANY_REQUESTS", RetryAfter: "1"},
	"timeout":           {Status: http.StatusRequestTimeout, Code: "UNABLE_TO_CALL_SERVICE"},
	"broken":            {Status: http.StatusInternalServerError},
	"unavailable":       {Status: http.StatusServiceUnavailable, Code: "SERVICE_UNAVAILABLE", RetryAfter: "5"},
	"slow":              {Delay: 4 * time.Second},
	"malformed":         {Type: "application/fhir+json", Body: `{"resourceType":"Patient","id":`},
	"a-web-page":        {Type: "text/html", Body: "<html><title>Maintenance</title></html>"},
	"denied":            {Status: http.StatusForbidden, Code: "ACCESS_DENIED"},
}

// SetFaults sets what goes wrong from now on; none: nothing. Of several for one
// endpoint the first that is not used up counts.
func (s *Standin) SetFaults(faults ...Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = slices.Clone(faults)
}

// fault returns what goes wrong with this request.
func (s *Standin) fault(endpoint string) (Fault, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, f := range s.faults {
		if f.Endpoint != "" && f.Endpoint != endpoint {
			continue
		}
		if f.Times == 1 {
			s.faults = slices.Delete(s.faults, i, i+1)
		} else if f.Times > 1 {
			s.faults[i].Times--
		}
		return f, true
	}
	return Fault{}, false
}

// serve does what goes wrong, and reports whether that was the whole answer.
func (f Fault) serve(w http.ResponseWriter, r *http.Request) bool {
	if f.Delay > 0 {
		select {
		case <-time.After(f.Delay):
		case <-r.Context().Done():
			return true
		}
	}
	for name, value := range map[string]string{"Retry-After": f.RetryAfter, "X-Request-Id": f.RequestID, "Location": f.Location} {
		if value != "" {
			w.Header().Set(name, value)
		}
	}
	switch {
	case f.Body != "" || f.Type != "":
		w.Header().Set("Content-Type", f.Type)
		w.WriteHeader(max(f.Status, http.StatusOK))
		_, _ = io.WriteString(w, f.Body) // the client may have read enough
	case f.Location != "":
		w.WriteHeader(http.StatusTemporaryRedirect)
	case f.Code != "":
		refuse(w, f.Status, f.Code, "")
	case f.Status != 0:
		w.WriteHeader(f.Status)
	default:
		return false
	}
	return true
}
