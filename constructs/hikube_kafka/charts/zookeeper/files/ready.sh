# Ready is a server that serves in a quorum: srvr then shows a Mode. imok says nothing of it.
exec 3<>/dev/tcp/127.0.0.1/2181 && printf srvr >&3 && grep '^Mode: ' <&3
