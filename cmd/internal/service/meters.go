package service

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/dilys-id/dilys/identity/outbox"
)

// meters counts what operators watch. Labels are routes, statuses and ids from the
// configuration: nothing of a person, and a bounded number of series.
type meters struct {
	registry *prometheus.Registry
	requests *prometheus.HistogramVec
	up       *prometheus.GaugeVec
	ready    prometheus.Gauge
	messages *prometheus.CounterVec
	frozen   prometheus.Gauge
	reloads  *prometheus.CounterVec
}

func newMeters() *meters {
	m := &meters{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "dilys_request_seconds", Help: "Time to answer a request, by route and status.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 8},
		}, []string{"route", "status"}),
		up: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "dilys_dependency_up", Help: "Whether a dependency is ok: 1, or slow: 0.5, or down: 0.",
		}, []string{"name"}),
		ready: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "dilys_ready", Help: "Whether sessions can be checked and pages shown.",
		}),
	}
	m.messages = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "dilys_messages_total", Help: "What became of messages to patients, by channel and kind.",
	}, []string{"what", "channel", "kind"})
	m.frozen = prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "dilys_frozen_records", Help: "Accounts that speak for no record until people have looked.",
	})
	m.reloads = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "dilys_reloads_total", Help: "Configurations that a running service was given, by what became of them: ok or refused.",
	}, []string{"result"})
	m.registry.MustRegister(m.reloads, m.frozen, m.requests, m.up, m.ready, m.messages, collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// observe counts a request.
func (m *meters) observe(route string, status int, took time.Duration) {
	m.requests.WithLabelValues(route, strconv.Itoa(status)).Observe(took.Seconds())
}

// told counts what became of messages.
func (m *meters) told(h outbox.Happening) {
	m.messages.WithLabelValues(string(h.What), string(h.By), string(h.Kind)).Inc()
}

// reloaded counts a configuration that was taken up, or not.
func (m *meters) reloaded(fault error) {
	result := "ok"
	if fault != nil {
		result = "refused"
	}
	m.reloads.WithLabelValues(result).Inc()
}

// handler serves the metrics, with the status as it is at the asking.
func (m *meters) handler(status func() Status) http.Handler {
	served := promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s := status()
		m.ready.Set(truth(s.Ready))
		m.frozen.Set(float64(s.FrozenRecords))
		m.up.Reset() // a provider may have left with a reload
		for _, d := range s.Dependencies {
			m.up.WithLabelValues(d.Name).Set(map[State]float64{OK: 1, Slow: 0.5, Down: 0}[d.State])
		}
		served.ServeHTTP(w, r)
	})
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
