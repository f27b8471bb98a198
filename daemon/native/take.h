/* The calls of take.c, for the table in addon.c. */
#pragma once
#include <node_api.h>

napi_value take(napi_env env, napi_callback_info info);
napi_value receive(napi_env env, napi_callback_info info);
napi_value send_now(napi_env env, napi_callback_info info);
napi_value close_now(napi_env env, napi_callback_info info);
