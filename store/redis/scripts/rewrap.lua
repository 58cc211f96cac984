-- Replaces the wraps of sealed entries, each only where nobody moved it. A wrap is how the body of an entry ends; nothing else of it is touched.
--
-- KEYS  1 entries:E, or payload:R:V
-- ARGV  field, the end of the body that was read, the end it gets instead, ...
-- Answer  how many were replaced

local done = 0
for at = 1, #ARGV, 3 do
  local body = redis.call('HGET', KEYS[1], ARGV[at])
  local old = ARGV[at + 1]
  if body and string.sub(body, -#old) == old then
    redis.call('HSET', KEYS[1], ARGV[at], string.sub(body, 1, -#old - 1) .. ARGV[at + 2])
    done = done + 1
  end
end
return done
