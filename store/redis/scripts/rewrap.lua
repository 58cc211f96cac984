-- Replaces sealed entries by themselves with another wrap, each only where nobody moved it.
--
-- KEYS  1 entries:E, or payload:R:V
-- ARGV  field, SHA-1 of the body that was read, new body, ...
-- Answer  how many were replaced

local done = 0
for at = 1, #ARGV, 3 do
  local body = redis.call('HGET', KEYS[1], ARGV[at])
  if body and redis.sha1hex(body) == ARGV[at + 1] then
    redis.call('HSET', KEYS[1], ARGV[at], ARGV[at + 2])
    done = done + 1
  end
end
return done
