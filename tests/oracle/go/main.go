// Shows what Go's net/http server reads from raw bytes: [{"raw_b64"}] on standard input, [{"seen", "status"}] on standard output.
// Knows nothing of dockgate.
package main

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"strconv"
	"sync"
	"time"
)

type input struct {
	Raw string `json:"raw_b64"`
}

type request struct {
	Method string      `json:"method"`
	Path   string      `json:"path"`
	Query  [][2]string `json:"query"`
	Body   string      `json:"body_b64"`
	Whole  bool        `json:"whole"`
}

type connection struct {
	mutex  sync.Mutex
	Seen   []request `json:"seen"`
	Status []int     `json:"status"`
	done   chan struct{}
	once   sync.Once
}

type key struct{}

// A connection's record travels in the context of its requests; connections are served one after the other.
var current *connection

func handle(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	values, bad := url.ParseQuery(r.URL.RawQuery)
	query := [][2]string{}
	names := []string{}
	for name := range values {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		for _, value := range values[name] {
			query = append(query, [2]string{name, value})
		}
	}
	if bad != nil {
		query = append(query, [2]string{"", "error: " + bad.Error()})
	}
	record := r.Context().Value(key{}).(*connection)
	record.mutex.Lock()
	defer record.mutex.Unlock()
	record.Seen = append(record.Seen, request{r.Method, r.URL.Path, query, base64.StdEncoding.EncodeToString(body), err == nil})
	io.WriteString(w, "ok")
}

var statusLine = regexp.MustCompile(`HTTP/1\.[01] ([0-9]{3}) `)

func show(socket string, raw []byte) *connection {
	record := &connection{Seen: []request{}, Status: []int{}, done: make(chan struct{})}
	current = record
	conn, err := net.Dial("unix", socket)
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(5 * time.Second))
	go func() {
		conn.Write(raw)
		conn.(*net.UnixConn).CloseWrite()
	}()
	reply, _ := io.ReadAll(conn)
	<-record.done
	for _, found := range statusLine.FindAllSubmatch(reply, -1) {
		status, _ := strconv.Atoi(string(found[1]))
		record.Status = append(record.Status, status)
	}
	return record
}

func main() {
	folder, err := os.MkdirTemp("", "oracle")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(folder)
	socket := filepath.Join(folder, "s")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		log.Fatal(err)
	}
	server := &http.Server{
		Handler:     http.HandlerFunc(handle),
		ErrorLog:    log.New(io.Discard, "", 0),
		ConnContext: func(ctx context.Context, _ net.Conn) context.Context { return context.WithValue(ctx, key{}, current) },
		ConnState: func(_ net.Conn, state http.ConnState) {
			if record := current; state == http.StateClosed || state == http.StateHijacked {
				record.once.Do(func() { close(record.done) })
			}
		},
	}
	go server.Serve(listener)
	var cases []input
	if err := json.NewDecoder(bufio.NewReader(os.Stdin)).Decode(&cases); err != nil {
		log.Fatal(err)
	}
	results := []*connection{}
	for _, one := range cases {
		raw, err := base64.StdEncoding.DecodeString(one.Raw)
		if err != nil {
			log.Fatal(err)
		}
		results = append(results, show(socket, raw))
	}
	out := json.NewEncoder(os.Stdout)
	out.SetEscapeHTML(false)
	out.Encode(results)
}
