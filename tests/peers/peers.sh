#!/bin/sh
# Our servers and other people's clients, and the other way round: peers.sh TEST SERVER CLIENT
#
# TEST is a function below; SERVER and CLIENT are the programs that server.c and client.c make, or
# SERVER an example, with what they are run by before them. Ends with 77, skipped, where the other
# program is not installed.
set -eu
PATH=$PATH:/usr/sbin

test=$1 server=$2 client=$3
here=$(cd "$(dirname "$0")" && pwd)
directory=$(mktemp -d)
processes=

# Ends what was started, waits for it, and removes what it has left.
clean_up()
{
    for process in $processes; do
        kill "$process" 2>/dev/null || true
        wait "$process" 2>/dev/null || true
    done
    rm -rf "$directory"
}
trap clean_up EXIT

fail()
{
    echo "failed: $*" >&2
    exit 1
}

needs()
{
    command -v "$1" >/dev/null || { echo "skipped: there is no $1 here"; exit 77; }
}

# within COMMAND...: tries until it succeeds, for up to ten seconds.
within()
{
    tries=0
    until "$@" 2>/dev/null; do
        tries=$((tries + 1))
        [ $tries -lt 100 ] || fail "$* never succeeded"
        sleep 0.1
    done
}

same() { cmp -s "$1" "$2" || fail "$1 and $2 differ"; }

# Starts our server of that kind; its port is in $port.
serve()
{
    $server "$@" >"$directory/port" &
    processes="$processes $!"
    ours=$!
    within test -s "$directory/port"
    port=$(cat "$directory/port")
}

# Our server ends when it is told to, and has nothing to complain of.
ends_well()
{
    kill -TERM "$ours"
    wait "$ours" || fail "the server ended with status $?"
    processes=
}

# A file of so many digits, as our HTTP server sends it.
digits() { awk -v n="$1" 'BEGIN { while (n > 0) { printf "%s", substr("0123456789", 1, n); n -= 10 } }'; }

free_port()
{
    needs python3
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# A certificate for localhost, which is its own authority.
make_certificate()
{
    needs openssl
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost \
        -addext subjectAltName=DNS:localhost,IP:127.0.0.1 \
        -addext keyUsage=critical,digitalSignature,keyCertSign \
        -keyout "$directory/key.pem" -out "$directory/cert.pem" 2>/dev/null
}

# ---- their clients ------------------------------------------------------------------------------

curl_gets_and_posts()
{
    needs curl
    serve http
    digits 300000 >"$directory/digits"
    curl -sS --max-time 20 -o "$directory/one" "http://127.0.0.1:$port/300000" \
        -o "$directory/none" "http://127.0.0.1:$port/0" -o "$directory/two" "http://127.0.0.1:$port/300000"
    same "$directory/one" "$directory/digits"
    same "$directory/two" "$directory/digits"
    curl -sS --max-time 20 --data-binary "@$directory/digits" -o "$directory/back" "http://127.0.0.1:$port/"
    same "$directory/back" "$directory/digits"
    ends_well
}

nc_gets_an_echo()
{
    needs nc
    nc -h 2>&1 | grep -q -e '-N' || { echo "skipped: this nc does not end with its input"; exit 77; }
    serve echo
    digits 100000 >"$directory/digits"
    nc -N 127.0.0.1 "$port" <"$directory/digits" >"$directory/back"
    same "$directory/back" "$directory/digits"
    ends_well
}

socat_gets_an_echo()
{
    needs socat
    digits 100000 >"$directory/digits"
    serve echo
    socat -t 20 - "TCP:127.0.0.1:$port" <"$directory/digits" >"$directory/back"
    same "$directory/back" "$directory/digits"
    ends_well
    $server unix "$directory/socket" >"$directory/port" &
    processes=$! ours=$!
    within test -S "$directory/socket"
    socat -t 20 - "UNIX-CONNECT:$directory/socket" <"$directory/digits" >"$directory/back"
    same "$directory/back" "$directory/digits"
    ends_well
    [ ! -e "$directory/socket" ] || fail "the socket's file is left"
}

python_gets_an_echo()
{
    needs python3
    serve echo
    python3 "$here/echo_client.py" "$port"
    ends_well
}

curl_gets_and_posts_over_tls()
{
    needs curl
    make_certificate
    serve http "$directory/cert.pem" "$directory/key.pem"
    digits 300000 >"$directory/digits"
    curl -sS --max-time 20 --cacert "$directory/cert.pem" -o "$directory/one" "https://127.0.0.1:$port/300000" \
        -o "$directory/two" "https://127.0.0.1:$port/300000"
    same "$directory/one" "$directory/digits"
    same "$directory/two" "$directory/digits"
    curl -sS --max-time 20 --cacert "$directory/cert.pem" --data-binary "@$directory/digits" \
        -o "$directory/back" "https://127.0.0.1:$port/"
    same "$directory/back" "$directory/digits"
    ends_well
}

# It ends with its input, so that must last until all is back.
openssl_gets_an_echo()
{
    make_certificate
    serve echo "$directory/cert.pem" "$directory/key.pem"
    digits 300000 >"$directory/digits"
    mkfifo "$directory/input"
    openssl s_client -quiet -no_ign_eof -connect "127.0.0.1:$port" -CAfile "$directory/cert.pem" \
        -verify_return_error -verify_hostname localhost \
        <"$directory/input" >"$directory/back" 2>"$directory/errors" &
    theirs=$!
    processes="$processes $theirs"
    exec 3>"$directory/input"
    cat "$directory/digits" >&3
    within cmp -s "$directory/back" "$directory/digits"
    exec 3>&-
    wait "$theirs" || fail "s_client ended with status $?: $(cat "$directory/errors")"
    ends_well
}

python_gets_an_echo_over_tls()
{
    needs python3
    make_certificate
    serve echo "$directory/cert.pem" "$directory/key.pem"
    python3 "$here/echo_client.py" "$port" "$directory/cert.pem"
    ends_well
}

# ---- their clients, and our examples ------------------------------------------------------------

# Starts our example at a port of its own, in $port. In the background a shell has it ignore Ctrl-C.
serve_example()
{
    port=$(free_port)
    # shellcheck disable=SC2086 # several words
    python3 -c 'import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execvp(sys.argv[1], sys.argv[1:])' $server "$port" "$@" &
    processes="$processes $!"
    ours=$!
}

# Ctrl-C ends it, and it has nothing to complain of.
interrupt()
{
    kill -INT "$ours"
    wait "$ours" || fail "the server ended with status $?"
    processes=
}

# says WORDS COMMAND...: redis-cli shows these words, in one line, when it is told the command.
says()
{
    words=$1
    shift
    # shellcheck disable=SC2046 # the lines of the reply become one
    set -- $(redis-cli -p "$port" "$@")
    [ "$*" = "$words" ] || fail "not $words: $*"
}

redis_cli_keeps_values()
{
    needs redis-cli
    serve_example
    within redis-cli -p "$port" ping >"$directory/answer"
    says OK set name "two words"
    says "two words" get name
    says "" set name other NX
    says OK set kept life EX 1
    says OK set kept life
    says OK set short life EX 1
    within redis_cli_has_no short
    says 1 del kept
    says "3" rpush list a b c
    says "a b c" lrange list 0 -1
    says "c" rpop list
    says "2" exists name list gone
    says "1" incr number
    says "ERR unknown command" dance
    awk 'BEGIN { for (i = 0; i < 10000; i++) printf "SET key%d %d\r\n", i, i }' |
        redis-cli -p "$port" --pipe >"$directory/answer"
    grep -q 'errors: 0, replies: 10000' "$directory/answer" || fail "$(cat "$directory/answer")"
    says 10003 dbsize
    says 9999 get key9999
    digits 1000000 | redis-cli -p "$port" -x set digits >"$directory/answer"
    digits 1000000 >"$directory/digits"
    echo >>"$directory/digits" # by redis-cli
    redis-cli -p "$port" get digits >"$directory/back"
    same "$directory/back" "$directory/digits"
    says OK flushall
    says 0 dbsize
    interrupt
}

redis_cli_has_no() { [ "$(redis-cli -p "$port" exists "$1")" = 0 ]; }

redis_benchmark_ends_well()
{
    needs redis-cli
    needs redis-benchmark
    requests=2000
    case $server in *" "*) requests=400 ;; esac # run by something that takes its time
    serve_example
    within redis-cli -p "$port" ping >"$directory/answer"
    for pipeline in 1 16; do
        redis-benchmark -p "$port" -t ping,set,get,incr,lpush,lpop -n $requests -P $pipeline -q \
            >"$directory/answer" || fail "$(cat "$directory/answer")"
        lines=$(tr '\r' '\n' <"$directory/answer" | grep -c 'requests per second')
        [ "$lines" = 7 ] || fail "$(cat "$directory/answer")" # two kinds of ping
    done
    says $((2 * requests)) get counter:__rand_int__
    says 0 exists mylist
    interrupt
}

# fetches STATUS PATH: it is answered so; the body is in the file "body".
fetches()
{
    got=$(curl -sS --max-time 20 --path-as-is -o "$directory/body" -w '%{http_code}' \
        "http://127.0.0.1:$port$2") || fail "$2: curl ended with status $?"
    [ "$got" = "$1" ] || fail "$2: $got"
}

curl_fetches_files()
{
    needs curl
    site=$directory/site
    mkdir -p "$site/sub folder"
    echo welcome >"$site/index.html"
    echo secret >"$directory/secret"
    digits 3000000 >"$site/digits"
    digits 100000 >"$directory/posted"
    : >"$site/sub folder/empty"
    ln -s ../secret "$site/link"
    ln -s .. "$site/up"
    mkfifo "$site/fifo"
    serve_example "$site"
    within curl -sS --max-time 20 -o "$directory/body" "http://127.0.0.1:$port/"
    same "$directory/body" "$site/index.html"
    fetches 200 /digits
    same "$directory/body" "$site/digits"
    fetches 200 /sub%20folder/empty?query
    [ ! -s "$directory/body" ] || fail "an empty file is not"
    for path in /nothing /sub%20folder /fifo /link /up/secret /../secret /%2e%2e/secret /..%2fsecret; do
        fetches 404 "$path"
        grep -q secret "$directory/body" && fail "$path leads out"
    done
    fetches 400 /%zz
    fetches 400 /digits%00

    # One connection for three; only the head of one of them; what comes with a type.
    curl -sS --max-time 20 -w '%{http_code} %{num_connects} %{content_type}\n' \
        -o "$directory/body" "http://127.0.0.1:$port/" -o "$directory/body" "http://127.0.0.1:$port/none" \
        -o "$directory/body" "http://127.0.0.1:$port/digits" >"$directory/answer"
    printf '%s\n' "200 1 text/html; charset=utf-8" "404 0 text/plain; charset=utf-8" \
        "200 0 application/octet-stream" >"$directory/expected"
    same "$directory/answer" "$directory/expected"
    curl -sS --max-time 20 -I "http://127.0.0.1:$port/digits" >"$directory/answer"
    grep -q '^Content-Length: 3000000' "$directory/answer" || fail "$(cat "$directory/answer")"

    # A body that nobody wants does not keep the answer from coming.
    code=$(curl -sS --max-time 20 -H Expect: --data-binary "@$directory/posted" -o "$directory/body" \
        -w '%{http_code}' "http://127.0.0.1:$port/") || fail "curl ended with status $?"
    [ "$code" = 405 ] || fail "a POST: $code"
    interrupt
}

# ---- their servers ------------------------------------------------------------------------------

nginx_serves_a_file()
{
    needs nginx
    nginx_serves "" ""
    within $client http "$port" /digits >"$directory/back"
    same "$directory/back" "$directory/digits"
}

nginx_serves_a_file_over_tls()
{
    needs nginx
    make_certificate
    nginx_serves ssl "ssl_certificate cert.pem; ssl_certificate_key key.pem;"
    within $client http "$port" /digits "$directory/cert.pem" >"$directory/back"
    same "$directory/back" "$directory/digits"
}

# nginx_serves LISTENING MORE
nginx_serves()
{
    port=$(free_port)
    digits 300000 >"$directory/digits"
    cat >"$directory/nginx.conf" <<EOF
daemon off;
master_process off;
pid $directory/nginx.pid;
error_log $directory/error.log;
events { worker_connections 16; }
http {
    access_log off;
    client_body_temp_path $directory;
    proxy_temp_path $directory;
    fastcgi_temp_path $directory;
    uwsgi_temp_path $directory;
    scgi_temp_path $directory;
    server { listen 127.0.0.1:$port $1; root $directory; $2 }
}
EOF
    nginx -e "$directory/error.log" -c "$directory/nginx.conf" &
    processes=$!
}

openssl_serves_a_file()
{
    make_certificate
    port=$(free_port)
    digits 300000 >"$directory/digits"
    (cd "$directory" && exec openssl s_server -quiet -accept "127.0.0.1:$port" -cert cert.pem -key key.pem \
        -WWW >/dev/null 2>&1) &
    processes=$!
    within $client http "$port" /digits "$directory/cert.pem" >"$directory/back"
    same "$directory/back" "$directory/digits"
}

python_echoes_over_tls()
{
    needs python3
    make_certificate
    python3 "$here/echo_server.py" "$directory/cert.pem" "$directory/key.pem" >"$directory/port" &
    processes=$!
    within test -s "$directory/port"
    $client echo "$(cat "$directory/port")" "$directory/cert.pem"
}

redis_keeps_values()
{
    needs redis-server
    port=$(free_port)
    redis-server --port "$port" --bind 127.0.0.1 --dir "$directory" --save '' --appendonly no >/dev/null &
    processes=$!
    within $client redis "$port" >"$directory/answer"
    grep -qx '1000 values' "$directory/answer" || fail "$(cat "$directory/answer")"
}

"$test"
